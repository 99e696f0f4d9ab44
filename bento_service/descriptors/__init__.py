"""Description of RGB pixels by unit vectors."""
