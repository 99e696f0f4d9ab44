"""Image roots, stored uploads and the data folder."""
