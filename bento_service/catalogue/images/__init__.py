"""Images, their metadata, hashes and descriptors."""
