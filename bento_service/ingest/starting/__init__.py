"""Starting jobs from folders, uploads and manifests."""
