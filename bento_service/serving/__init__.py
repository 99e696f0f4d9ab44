"""Adaptations of BentoML and uvicorn."""
