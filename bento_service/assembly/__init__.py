"""Opening the rooms of a service from its settings."""
