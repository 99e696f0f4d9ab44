"""The index over the catalogue: the only place that knows Milvus."""
