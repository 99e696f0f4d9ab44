"""The wire models of comparing two pictures and of finding duplicates; see `client_sdk.schemas`."""

from enum import StrEnum

from pydantic import Field

from client_sdk._fields import Name, Real, Request, Whole
from client_sdk.job_schemas import Answer
from client_sdk.schemas import DEFAULT_COLLECTION

MAX_GROUPS = 100
"""Groups of duplicates in one page, at the most."""


class Verdict(StrEnum):
    """What two pictures are to each other; what the words mean is in `docs/duplicates.md`."""

    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    SIMILAR = "similar"


class Orientation(StrEnum):
    """How a picture lies: mirrored left to right or not, and then turned clockwise by degrees."""

    UPRIGHT = "upright"
    TURNED_90 = "turned_90"
    TURNED_180 = "turned_180"
    TURNED_270 = "turned_270"
    MIRRORED = "mirrored"
    MIRRORED_TURNED_90 = "mirrored_turned_90"
    MIRRORED_TURNED_180 = "mirrored_turned_180"
    MIRRORED_TURNED_270 = "mirrored_turned_270"


class Lines(Answer):
    """Where the verdicts begin. The scores belong to one descriptor version.

    Attributes:
        duplicate: From this score on: `duplicate`.
        near_duplicate: From this score on: `near_duplicate`.
        hash_distance: Up to so many different bits of the hashes: `duplicate`, whatever the score.
    """

    duplicate: float
    near_duplicate: float
    hash_distance: int


class Evidence(Answer):
    """What a verdict rests on; everything that was looked at, also where it decided nothing.

    Attributes:
        same_bytes: Whether the two files are equal byte by byte.
        hash_distance: Bits of the perceptual hashes that differ, in the orientation that fits
            best; `None` where a hash says nothing, as that of a flat picture.
        hash_bits: Bits of a hash.
        orientation: What has to be done to the second picture for the hashes to fit best; `None`
            without a `hash_distance`.
        lines: What score and distance were held against.
        reasons: The same for people, such as `pHash 2/64, mirrored`; what decided comes first.
    """

    same_bytes: bool
    hash_distance: int | None = None
    hash_bits: int = 64
    orientation: Orientation | None = None
    lines: Lines
    reasons: tuple[str, ...] = ()


class Comparison(Answer):
    """What two pictures are to each other.

    Attributes:
        collection: Whose descriptor they were compared by.
        model: Tag of the model.
        descriptor: Name of the descriptor version.
        fingerprint: Its digest; scores of another one are not comparable with this one.
        score: Cosine of the two descriptors, in [-1, 1]; larger is better.
        distance: Euclidean distance of the two unit vectors, `sqrt(2 - 2 score)`.
        probability: That they are the same picture; `None` as long as nothing is calibrated.
        warnings: What the user should know about the pictures, such as that an animation was
            described by its first frame.
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
    """Why an image is in a group: the member before it that it is most like, and how much.

    Attributes:
        image_id: Of that member.
        score: Cosine of the two descriptors, in [-1, 1].
        distance: Euclidean distance of the two unit vectors.
        hash_distance: Bits of the hashes that differ; `None` where a hash says nothing or an
            image has none.
        orientation: What has to be done to this image for the hashes to fit best.
        reasons: The same for people; what decided comes first.
    """

    image_id: int
    score: float
    distance: float
    verdict: Verdict
    hash_distance: int | None = None
    orientation: Orientation | None = None
    reasons: tuple[str, ...] = ()


class GroupedImage(Answer):
    """One image of a group of duplicates.

    Attributes:
        content_url: Where the bytes are, relative to the service.
        thumbnail_url: Where a small WebP is, relative to the service.
        like: Why it is in the group; `None` for the first.
    """

    id: int
    name: str
    source: str
    width: int
    height: int
    bytes: int
    content_url: str
    thumbnail_url: str
    like: Likeness | None = None


class DuplicateGroup(Answer):
    """Images of one collection that are the same picture or nearly so, at least two.

    Attributes:
        images: The one with the smallest id first; each other one behind the one that it is like.
        verdict: The weakest of those that hold the group together.
        is_whole: Whether that is all of them; `False` where there are more than a group may have.
    """

    images: tuple[GroupedImage, ...]
    verdict: Verdict
    is_whole: bool = True


class DuplicateGroups(Answer):
    """Some groups of duplicates, by the smallest id of each.

    A page may have fewer groups than were asked for, or none: the service looks for them only so
    long. `next_cursor` alone tells the end: it is `None` on the last page.

    Attributes:
        min_score: From which score on two images belong together.
        examined: How many images were looked at for this page.
    """

    collection: str
    model: str
    descriptor: str
    fingerprint: str
    min_score: float
    lines: Lines
    groups: tuple[DuplicateGroup, ...]
    examined: int
    next_cursor: str | None = None


class CompareRequest(Request):
    """Two stored images to compare; in a form, a picture can take the place of either.

    Attributes:
        collection: By whose descriptor; the images may be in any.
    """

    collection: Name = DEFAULT_COLLECTION
    a_id: Whole
    b_id: Whole


class CompareForm(Request):
    """The text fields of a form: the id of a stored image in place of a picture `a` or `b`."""

    collection: Name = DEFAULT_COLLECTION
    a_id: Whole | None = None
    b_id: Whole | None = None


class DuplicatesRequest(Request):
    """Where to look for duplicates.

    Attributes:
        min_score: From which score on two images belong together, besides those that their hashes
            join; the descriptor's line for `near_duplicate` where none is given.
        limit: How many groups at the most.
        cursor: `next_cursor` of the page before.
    """

    collection: Name = DEFAULT_COLLECTION
    min_score: Real | None = Field(default=None, ge=-1.0, le=1.0)
    limit: Whole = Field(default=20, ge=1, le=MAX_GROUPS)
    cursor: str | None = Field(default=None, max_length=64)
