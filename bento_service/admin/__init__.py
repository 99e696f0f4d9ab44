"""The operator's commands: each one module, all of them behind `python -m bento_service.admin`."""
