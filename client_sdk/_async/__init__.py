"""The asynchronous half of the client, from which `_sync` is generated."""
