"""What a descriptor depends on, written down once and saved with the weights.

Two descriptors can be compared only if everything recorded here is equal, so the digest of this
record, its fingerprint, sits on every collection and another version's descriptors are refused.
The model's metadata is the only home of means, sizes, pooling and thresholds.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter

VERSIONS_FILE = "descriptor_versions.json"
"""These records in a model's folder: one for each descriptor in each precision."""

DescriptorName = Literal["vgg16-mac", "vgg16-rgem", "vgg16-rmac4"]
DESCRIPTORS: tuple[DescriptorName, ...] = get_args(DescriptorName)
Precision = Literal["fp32", "int8", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Weights(_Record):
    """The thirteen convolutions of VGG16 (Simonyan and Zisserman, arXiv:1409.1556).

    Attributes:
        digest: SHA-256 over kernels (O, I, 3, 3; RGB input order) and biases, float32, in order.
        source: Where this build took them from. Not part of the fingerprint.
    """

    digest: str
    source: str


class Preprocessing(_Record):
    """How bytes become the network's input.

    Attributes:
        orientation: `exif`: the picture is turned upright first.
        alpha: Colour that transparent pixels are laid on.
        colour: How other colour models become RGB.
        profile: When the colours of a picture with an ICC profile become those of sRGB.
        deep_samples: How more than 8 bits a sample become 8.
        deep_range: What brightest level a sample of 16 bits is scaled by: that of the bits in use.
        size: Side of the square input in pixels.
        padding: Colour, RGB, of the square on which the picture is laid in the middle, its longer
            side `size`; none: both sides are squashed to `size`, whatever the shape.
        resampling: The filter, and the library whose arithmetic is meant.
        jpeg_scaling: How far a JPEG may be scaled while it is decoded; pixels beyond the
            picture's edge, where the scale does not divide its sides, are left out.
        channel_order: Of the convolutions' input planes.
        mean: Subtracted from each plane, in `channel_order`, on the 0..255 scale.
        scale: Multiplied after that.
    """

    orientation: Literal["exif"] = "exif"
    alpha: tuple[int, int, int] = (255, 255, 255)
    colour: Literal["pillow-convert-rgb"] = "pillow-convert-rgb"
    profile: Literal["to-srgb-after-resizing"] = "to-srgb-after-resizing"
    deep_samples: Literal["scaled-to-8-bit"] = "scaled-to-8-bit"
    deep_range: Literal["8-10-12-14-16-bits-in-use"] = "8-10-12-14-16-bits-in-use"
    size: int = 224
    padding: tuple[int, int, int] | None = None
    resampling: Literal["pillow-bilinear-antialiased"] = "pillow-bilinear-antialiased"
    jpeg_scaling: Literal["dct-at-least-twice-the-target-exact-edges"] = (
        "dct-at-least-twice-the-target-exact-edges"
    )
    channel_order: Literal["BGR"] = "BGR"
    mean: tuple[float, float, float] = (103.939, 116.779, 123.68)
    scale: float = 1.0


class Part(_Record):
    """One pooled feature map, normalised; see `bento_service.descriptors.pooling` for the formulas.

    Attributes:
        tap: The convolution whose output, after its ReLU, is pooled.
        pooling: How places become one number for each channel.
        parameter: GeM's exponent, or R-MAC's number of levels.
        weight: What the normalised vector is multiplied by.
    """

    tap: Literal["conv4_3", "conv5_3"]
    pooling: Literal["mac", "gem", "rmac"]
    parameter: int | None = None
    weight: float = 1.0


class Pooling(_Record):
    """How feature maps become one vector.

    Attributes:
        parts: In order.
        joined: Whether the parts are added, or put one after the other.
        norm: Of each part and of the result.
        eps: Lower bound of the norms that are divided by.
    """

    parts: tuple[Part, ...]
    joined: Literal["sum", "concatenation"]
    norm: Literal["l2"] = "l2"
    eps: float = 1e-12


class Quantisation(_Record):
    """The constants of 8-bit arithmetic, without which no component can be reproduced.

    Attributes:
        scheme: Static; weights signed with a scale for each output channel, activations unsigned
            with one for each tensor.
        digest: SHA-256 over the activation ranges that the scales were computed from.
    """

    scheme: Literal["static-per-channel-u8s8"] = "static-per-channel-u8s8"
    digest: str


class Thresholds(_Record):
    """Cosines at which two images are called the same picture or nearly so.

    Attributes:
        duplicate: At or above: the same picture.
        near_duplicate: At or above: an edited copy, with 1 % false positives.
    """

    duplicate: float
    near_duplicate: float


class DescriptorVersion(_Record):
    """One way to describe images.

    Attributes:
        name: What people call it, such as `vgg16-rmac4`.
        dimension: D, components of a descriptor.
        precision: Of the convolutions' arithmetic.
        quantisation: Where that is `int8`.
        storage: Of stored descriptors.
        metric: `ip`: inner product of unit vectors, which is their cosine.
        hash_kind: Perceptual hash that is stored with an image, if any.
    """

    name: DescriptorName
    weights: Weights
    preprocessing: Preprocessing
    pooling: Pooling
    dimension: int
    precision: Precision
    quantisation: Quantisation | None = None
    storage: Literal["float32"] = "float32"
    metric: Literal["ip"] = "ip"
    hash_kind: None = None
    thresholds: Thresholds

    @property
    def fingerprint(self) -> str:
        """SHA-256 (64 hexadecimal digits) of all that a descriptor's components depend on."""
        relevant = self.model_dump(mode="json", exclude={"weights": {"source"}, "thresholds": True})
        return hashlib.sha256(canonical_json(relevant)).hexdigest()


def identity(versions: Sequence[DescriptorVersion]) -> str:
    """Return what tells descriptor versions from others: name, precision and fingerprint of each.

    Equal texts mean that descriptors can be compared, and that they come in the same order.
    """
    return ", ".join(
        f"{version.name} {version.precision} {version.fingerprint}" for version in versions
    )


_VERSIONS = TypeAdapter(tuple[DescriptorVersion, ...])


def read_versions(folder: Path) -> tuple[DescriptorVersion, ...]:
    """All versions that a model's folder can compute.

    Raises:
        FileNotFoundError, ValidationError: Another release wrote the folder.
    """
    return _VERSIONS.validate_json((folder / VERSIONS_FILE).read_bytes())


def write_versions(versions: tuple[DescriptorVersion, ...], folder: Path) -> None:
    """Write them beside the network; equal versions give equal bytes."""
    records = _VERSIONS.dump_python(versions, mode="json")
    text = json.dumps(records, indent=2, sort_keys=True)
    (folder / VERSIONS_FILE).write_text(f"{text}\n")


def canonical_json(value: object) -> bytes:
    """The same bytes for equal values: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
