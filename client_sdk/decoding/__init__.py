"""Decoding of picture files; the service, the model build and the assertions share it."""
