"""Settings of tests."""

from bento_service.settings import Settings


def read(**values):
    return Settings.from_environment({f"LOOKALIKE_{name}": text for name, text in values.items()})
