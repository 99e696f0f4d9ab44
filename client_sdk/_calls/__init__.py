"""The calls of the HTTP contract as values: what to send, and how to read the answer."""
