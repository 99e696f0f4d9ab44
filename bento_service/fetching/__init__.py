"""Pictures from URLs that callers name."""
