"""Errors of opening a service in a process."""


class LocalError(Exception):
    """The service cannot be opened here, or cannot continue; the text says what to do."""
