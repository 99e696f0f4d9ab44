"""What a descriptor depends on, written down once and saved with the weights.

Two descriptors can be compared only if everything recorded here is equal, so the digest of this
record, its fingerprint, sits on every collection and another version's descriptors are refused.
The model's metadata is the only home of means, sizes, pooling and thresholds.
"""

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict

VERSION_FILE = "descriptor_version.json"
"""This record in a model's folder."""


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
        deep_samples: How more than 8 bits a sample become 8.
        resize: `squash`: both sides to `size`, whatever the shape.
        size: Side of the square input in pixels.
        resampling: The filter, and the library whose arithmetic is meant.
        jpeg_scaling: How far a JPEG may be scaled while it is decoded.
        channel_order: Of the convolutions' input planes.
        mean: Subtracted from each plane, in `channel_order`, on the 0..255 scale.
        scale: Multiplied after that.
    """

    orientation: Literal["exif"] = "exif"
    alpha: tuple[int, int, int] = (255, 255, 255)
    colour: Literal["pillow-convert-rgb"] = "pillow-convert-rgb"
    deep_samples: Literal["scaled-to-8-bit"] = "scaled-to-8-bit"
    resize: Literal["squash"] = "squash"
    size: int = 224
    resampling: Literal["pillow-bilinear-antialiased"] = "pillow-bilinear-antialiased"
    jpeg_scaling: Literal["dct-at-least-twice-the-target"] = "dct-at-least-twice-the-target"
    channel_order: Literal["BGR"] = "BGR"
    mean: tuple[float, float, float] = (103.939, 116.779, 123.68)
    scale: float = 1.0


class Pooling(_Record):
    """How feature maps become one vector.

    Attributes:
        kind: `mac`, the maximum over all places of each map (Tolias et al., arXiv:1511.05879).
        taps: Which feature maps, after their ReLU.
        norm: Of the result.
        eps: Lower bound of the norm that is divided by.
    """

    kind: Literal["mac"] = "mac"
    taps: tuple[Literal["pool5"], ...] = ("pool5",)
    norm: Literal["l2"] = "l2"
    eps: float = 1e-12


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
        name: What people call it, such as `vgg16-mac`.
        dimension: D, components of a descriptor.
        precision: Of the convolutions' arithmetic.
        storage: Of stored descriptors.
        metric: `ip`: inner product of unit vectors, which is their cosine.
        hash_kind: Perceptual hash that is stored with an image, if any.
    """

    name: Literal["vgg16-mac"] = "vgg16-mac"
    weights: Weights
    preprocessing: Preprocessing = Preprocessing()
    pooling: Pooling = Pooling()
    dimension: int = 512
    precision: Literal["fp32"] = "fp32"
    storage: Literal["float32"] = "float32"
    metric: Literal["ip"] = "ip"
    hash_kind: None = None
    thresholds: Thresholds = Thresholds(duplicate=0.95, near_duplicate=0.890)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (64 hexadecimal digits) of all that a descriptor's components depend on."""
        relevant = self.model_dump(mode="json", exclude={"weights": {"source"}, "thresholds": True})
        return hashlib.sha256(canonical_json(relevant)).hexdigest()


def canonical_json(value: object) -> bytes:
    """The same bytes for equal values: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
