"""The whole service inside the caller's own process, without BentoML, Milvus and the network."""


class LocalError(Exception):
    """The service cannot be opened here, or cannot continue; the text says what to do."""
