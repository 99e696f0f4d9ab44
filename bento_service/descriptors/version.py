"""Descriptor versions: records of everything that a descriptor depends on, saved with the weights.

Two descriptors can be compared only if their records are equal. So every collection stores the
digest of the record, its fingerprint, and descriptors of another version are rejected. Means,
sizes, pooling and thresholds are stored only in the model's metadata.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter

VERSIONS_FILE = "descriptor_versions.json"
"""The file of the records in a model's folder, one for each descriptor in each precision."""

DescriptorName = Literal["vgg16-mac", "vgg16-rgem", "vgg16-rmac4"]
DESCRIPTORS: tuple[DescriptorName, ...] = get_args(DescriptorName)
Precision = Literal["fp32", "int8", "int8_openvino", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
QUANTISED: tuple[Precision, ...] = ("int8", "int8_openvino")
"""The precisions that compute the 8-bit network, each with rounding of its own."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Weights(_Record):
    """The thirteen convolutions of VGG16 (Simonyan and Zisserman, arXiv:1409.1556).

    Attributes:
        digest: The SHA-256 of kernels (O, I, 3, 3; RGB input order) and biases, float32, in order.
        source: The source of this build's weights; not part of the fingerprint.
    """

    digest: str
    source: str


class Preprocessing(_Record):
    """The conversion of encoded pictures to the network's input.

    Attributes:
        orientation: `exif`: the picture is first rotated upright by its EXIF orientation.
        alpha: The ground under transparency: white, or black or grey for what vanishes on white.
        colour: The conversion of other colour models to RGB.
        profile: The step at which colours with an ICC profile are converted to sRGB.
        deep_samples: The conversion of samples with more than 8 bits to 8 bits.
        deep_range: The range that a 16-bit sample is scaled by: that of the bits in use.
        size: The side of the square input, in pixels.
        padding: The RGB colour of the square around the centred picture, whose longer side is
            `size`; if `None`, both sides are squashed to `size`.
        resampling: The filter, and the library that defines its arithmetic.
        jpeg_scaling: The limit for scaling a JPEG during decoding; pixels beyond the picture's
            edge, which appear if the scale does not divide its sides, are left out.
        channel_order: The order of the convolutions' input planes.
        mean: The values subtracted from each plane, in `channel_order`, on the 0..255 scale.
        scale: The factor applied after the subtraction.
    """

    orientation: Literal["exif"] = "exif"
    alpha: Literal["white-unless-the-edge-vanishes"] = "white-unless-the-edge-vanishes"
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
        pooling: The reduction of all positions to one number for each channel.
        parameter: The exponent of GeM, or the number of levels of R-MAC.
        weight: The factor of the normalised vector.
    """

    tap: Literal["conv4_3", "conv5_3"]
    pooling: Literal["mac", "gem", "rmac"]
    parameter: int | None = None
    weight: float = 1.0


class Pooling(_Record):
    """The reduction of feature maps to one vector.

    Attributes:
        parts: The parts, in order.
        joined: The operation that joins the parts: their sum or their concatenation.
        norm: The norm of each part and of the result.
        eps: The lower bound of the norms used as divisors.
    """

    parts: tuple[Part, ...]
    joined: Literal["sum", "concatenation"]
    norm: Literal["l2"] = "l2"
    eps: float = 1e-12


class Quantisation(_Record):
    """The constants of 8-bit arithmetic, which are needed to reproduce a descriptor.

    Attributes:
        scheme: The static scheme: signed weights with a scale for each output channel, unsigned
            activations with a scale for each tensor.
        digest: The SHA-256 of the activation ranges that the scales were computed from.
    """

    scheme: Literal["static-per-channel-u8s8"] = "static-per-channel-u8s8"
    digest: str


class Thresholds(_Record):
    """The cosines from which two images count as duplicates or near duplicates.

    Attributes:
        duplicate: The lowest cosine of two copies of the same picture.
        near_duplicate: The lowest cosine of a picture and an edited copy, at 1 % false positives.
    """

    duplicate: float
    near_duplicate: float


class DescriptorVersion(_Record):
    """The record of everything that one kind of descriptor depends on.

    Attributes:
        dimension: D, the number of components of a descriptor.
        precision: The precision of the convolutions' arithmetic.
        quantisation: The constants of 8-bit arithmetic, if the precision is one of `QUANTISED`.
        storage: The data type of stored descriptors.
        metric: `ip`: the inner product of unit vectors, which is their cosine.
        hash_kind: The perceptual hash that is stored with an image, if any.
        thresholds: The thresholds for duplicates; not part of the fingerprint.
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
        """The SHA-256 (64 hexadecimal digits) of everything that the components depend on."""
        relevant = self.model_dump(mode="json", exclude={"weights": {"source"}, "thresholds": True})
        return hashlib.sha256(canonical_json(relevant)).hexdigest()


def identity(versions: Sequence[DescriptorVersion]) -> str:
    """Return a text with the name, precision and fingerprint of each version.

    Equal texts mean that descriptors can be compared and have the same order.
    """
    return ", ".join(
        f"{version.name} {version.precision} {version.fingerprint}" for version in versions
    )


_VERSIONS = TypeAdapter(tuple[DescriptorVersion, ...])


def read_versions(folder: Path) -> tuple[DescriptorVersion, ...]:
    """Return all versions that a model's folder can compute.

    Raises:
        FileNotFoundError, ValidationError: Another release wrote the folder.
    """
    return _VERSIONS.validate_json((folder / VERSIONS_FILE).read_bytes())


def write_versions(versions: tuple[DescriptorVersion, ...], folder: Path) -> None:
    """Write the versions to a model's folder; equal versions give equal bytes."""
    records = _VERSIONS.dump_python(versions, mode="json")
    text = json.dumps(records, indent=2, sort_keys=True)
    (folder / VERSIONS_FILE).write_text(f"{text}\n")


def canonical_json(value: object) -> bytes:
    """Return JSON with sorted keys and without spaces; equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
