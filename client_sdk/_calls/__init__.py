"""The calls of the HTTP contract, as values that connections send."""
