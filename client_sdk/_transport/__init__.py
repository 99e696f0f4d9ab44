"""Settings, retries, version checks and polling, shared by both halves of the client."""
