"""Pictures out of zip and tar archives, within limits."""
