"""Layers around the routes: request ids, limits and the entrance."""
