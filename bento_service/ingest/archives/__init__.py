"""Pictures in zip and tar archives, read within limits."""
