from tests.support.indexes import catalogue

__all__ = ["catalogue"]
