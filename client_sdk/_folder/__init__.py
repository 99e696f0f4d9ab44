"""The upload of a folder: selection of the files, batches and the report."""
