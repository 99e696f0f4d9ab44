"""The operator's commands, one module each; `python -m bento_service.admin` runs them."""
