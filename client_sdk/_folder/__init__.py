"""The upload of a folder: which files, in which requests, and the report."""
