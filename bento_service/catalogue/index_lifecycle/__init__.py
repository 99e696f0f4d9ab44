"""Changes for indexes, replacements, reindexing and retired indexes."""
