"""Settings, retries, versions and waiting: what both halves of the client share."""
