"""Assembly of a service from its settings."""
