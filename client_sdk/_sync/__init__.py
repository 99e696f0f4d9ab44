# Generated from client_sdk/_async/__init__.py by `make sync`; edit that file instead.
"""The asynchronous half of the client, from which `_sync` is generated."""
