"""The wire model of a descriptor; see `client_sdk.schemas`."""

from client_sdk.schemas.fields import Answer


class Descriptor(Answer):
    """The descriptor of a picture.

    Attributes:
        descriptor: The name of the descriptor version.
        fingerprint: The digest of the descriptor version; only descriptors of one version can be
            compared.
        vector: The unit vector. The dot product of two vectors is their score.
    """

    descriptor: str
    fingerprint: str
    vector: tuple[float, ...]
