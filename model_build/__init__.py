"""The build of the model that the service loads: `python -m model_build`."""
