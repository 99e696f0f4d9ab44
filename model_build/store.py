"""What lies in BentoML's store, told without importing BentoML."""

import hashlib
import os
import re
from pathlib import Path

from pydantic import ValidationError

import bento_service
from bento_service.descriptors.golden import GOLDEN_FILE
from bento_service.descriptors.model import NETWORK_FILES, WEIGHTS_FILE
from bento_service.descriptors.version import (
    DESCRIPTORS,
    PRECISIONS,
    VERSIONS_FILE,
    DescriptorVersion,
    Quantisation,
    Weights,
    read_versions,
)
from model_build.activation_ranges import RANGES_FILE, ActivationRanges
from model_build.recipes import descriptor_version

MODEL_FILES = (WEIGHTS_FILE, *NETWORK_FILES.values(), GOLDEN_FILE, VERSIONS_FILE, RANGES_FILE)
"""All that a model consists of."""

TAG_FILE = Path(bento_service.__file__).parent / "model_tag.txt"
"""Names the one model that the service loads. `:latest` would not do: inside a finished Bento it
means whatever is newest in the store."""

_NAME = "vgg16"


def bentoml_home() -> Path:
    """BentoML's data folder, by BentoML's own rule."""
    home = os.environ.get("BENTOML_HOME", "~/bentoml")
    return Path(os.path.expandvars(home)).expanduser()


def stored_folder(tag: str) -> Path:
    """Where the model of this tag lies, or would lie."""
    return bentoml_home() / "models" / tag.replace(":", "/")


def tag_of(folder: Path) -> str:
    """The exact tag of a model, `vgg16:` and 16 hexadecimal digits, from its files' contents."""
    hasher = hashlib.sha256()
    for name in MODEL_FILES:
        with (folder / name).open("rb") as file:
            hasher.update(hashlib.file_digest(file, "sha256").digest())
    return f"{_NAME}:{hasher.hexdigest()[:16]}"


def is_stored(tag: str) -> bool:
    """Whether the store holds this model whole; a copy that was broken off does not count."""
    folder = stored_folder(tag)
    try:
        return (folder / "model.yaml").is_file() and tag_of(folder) == tag
    except FileNotFoundError:
        return False


def published_tag(tag_file: Path = TAG_FILE) -> str | None:
    """The tag that the service is to load, if that model is stored and of the present version."""
    if not tag_file.is_file():
        return None
    tag = tag_file.read_text().strip()
    if not re.fullmatch(rf"{_NAME}:[0-9a-f]{{16}}", tag) or not is_stored(tag):
        return None
    return tag if _is_present_version(stored_folder(tag)) else None


def name_published(tag: str, tag_file: Path = TAG_FILE) -> None:
    """Write the tag that the service is to load; a reader sees the old one or the new one."""
    partial = tag_file.with_name(f".{tag_file.name}.{os.getpid()}")
    partial.write_text(f"{tag}\n")
    partial.replace(tag_file)


def all_versions(weights: Weights, ranges: ActivationRanges) -> tuple[DescriptorVersion, ...]:
    """Every descriptor in every precision, as a build from these weights and ranges writes them."""
    quantisation = Quantisation(digest=ranges.digest)
    return tuple(
        descriptor_version(name, weights, precision=precision, quantisation=quantisation)
        for precision in PRECISIONS
        for name in DESCRIPTORS
    )


def _is_present_version(folder: Path) -> bool:
    """Whether a build from the same weights and ranges would describe images in the same way."""
    try:
        stored = read_versions(folder)
        ranges = ActivationRanges.model_validate_json((folder / RANGES_FILE).read_bytes())
    except ValidationError:
        return False
    return bool(stored) and stored == all_versions(stored[0].weights, ranges)
