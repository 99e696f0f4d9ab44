"""The wire models of comparisons and of duplicates; see `client_sdk.schemas`."""

from enum import StrEnum

from client_sdk.schemas.answer import Answer, Identified


class Verdict(StrEnum):
    """The result of comparing two pictures; `docs/duplicates.md` defines the values."""

    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    SIMILAR = "similar"


class Orientation(StrEnum):
    """The orientation of a picture: mirrored left to right or not, then turned clockwise."""

    UPRIGHT = "upright"
    TURNED_90 = "turned_90"
    TURNED_180 = "turned_180"
    TURNED_270 = "turned_270"
    MIRRORED = "mirrored"
    MIRRORED_TURNED_90 = "mirrored_turned_90"
    MIRRORED_TURNED_180 = "mirrored_turned_180"
    MIRRORED_TURNED_270 = "mirrored_turned_270"


class Lines(Answer):
    """The thresholds of the verdicts. The scores are valid for one descriptor version.

    Attributes:
        duplicate: The score from which two pictures are likely the same. It does not decide: they
            are a `duplicate` only if their detail is the same.
        near_duplicate: The lowest score of a `near_duplicate`.
        hash_distance: The largest number of different bits of the hashes of a `duplicate`; it
            applies at any score.
    """

    duplicate: float
    near_duplicate: float
    hash_distance: int


class Evidence(Answer):
    """The evidence for a verdict, including measurements that did not decide it.

    Attributes:
        same_bytes: True if the two files are equal byte by byte.
        hash_distance: The number of different bits of the perceptual hashes, in the orientation
            that fits best; `None` if a hash is not meaningful, as that of a flat picture.
        hash_bits: The number of bits of a hash.
        agreement: The share of the detail that is the same when the pictures are aligned; `None` if
            they were not aligned.
        orientation: The change of the second picture that shows the same as the first; `None` for
            different pictures.
        reasons: The evidence as text, such as `pHash 2/64, mirrored`; the deciding one is first.
    """

    same_bytes: bool
    hash_distance: int | None = None
    hash_bits: int = 64
    agreement: float | None = None
    orientation: Orientation | None = None
    lines: Lines
    reasons: tuple[str, ...] = ()


class Comparison(Answer):
    """The comparison of two pictures.

    Attributes:
        collection: The collection whose descriptor was used.
        fingerprint: The digest of the descriptor version; scores of different versions cannot be
            compared.
        score: The cosine of the two descriptors, in [-1, 1]; larger is better.
        distance: The Euclidean distance of the two unit vectors, `sqrt(2 - 2 score)`.
        probability: The probability that they are the same picture; `None` without a calibration.
        warnings: Remarks about the pictures, such as that only the first frame was used.
    """

    collection: str
    model: str
    descriptor: str
    fingerprint: str
    score: float
    distance: float
    verdict: Verdict
    probability: float | None = None
    evidence: Evidence
    warnings: tuple[str, ...] = ()


class Likeness(Answer):
    """The likeness of an image to the most similar earlier member of its group.

    The fields are those of `Comparison` and `Evidence`.

    Attributes:
        image_id: The id of that member.
    """

    image_id: int
    score: float
    distance: float
    verdict: Verdict
    hash_distance: int | None = None
    orientation: Orientation | None = None
    reasons: tuple[str, ...] = ()


class GroupedImage(Identified):
    """One image of a group of duplicates.

    Attributes:
        like: The reason why it is in the group; `None` for the first image.
    """

    name: str
    source: str
    width: int
    height: int
    bytes: int
    content_url: str
    thumbnail_url: str
    like: Likeness | None = None


class DuplicateGroup(Answer):
    """Two or more images of one collection that are the same picture or nearly so.

    Attributes:
        images: The image with the smallest id, then each image after the one that it is like.
        verdict: The weakest of the verdicts that join the group.
        is_whole: False if the group has more images than one answer may list.
    """

    images: tuple[GroupedImage, ...]
    verdict: Verdict
    is_whole: bool = True
