"""What keeps a service from being opened in a process."""


class LocalError(Exception):
    """The service cannot be opened here, or cannot go on; the text says what to do."""
