"""RGB pixels to unit vectors."""
