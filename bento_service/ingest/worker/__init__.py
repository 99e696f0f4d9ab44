"""The worker that carries jobs out."""
