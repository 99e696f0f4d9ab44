"""The start of jobs from folders, uploads and manifests."""
