from tests.support.indexes import catalogue, gallery, milvus_folder

__all__ = ["catalogue", "gallery", "milvus_folder"]
