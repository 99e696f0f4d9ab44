"""The contents of BentoML's store, read without importing BentoML."""

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
"""The files of a model."""

TAG_FILE = Path(bento_service.__file__).parent / "model_tag.txt"
"""The file with the tag of the model that the service loads. `:latest` would not work: inside a
finished Bento it means the newest model in the store."""

_NAME = "vgg16"


def bentoml_home() -> Path:
    """Return BentoML's data folder, by BentoML's own rule."""
    home = os.environ.get("BENTOML_HOME", "~/bentoml")
    return Path(os.path.expandvars(home)).expanduser()


def stored_folder(tag: str) -> Path:
    """Return the folder of a model in the store."""
    return bentoml_home() / "models" / tag.replace(":", "/")


def tag_of(folder: Path) -> str:
    """Return the tag of a model, `vgg16:` and 16 hexadecimal digits of its files' contents."""
    hasher = hashlib.sha256()
    for name in MODEL_FILES:
        with (folder / name).open("rb") as file:
            hasher.update(hashlib.file_digest(file, "sha256").digest())
    return f"{_NAME}:{hasher.hexdigest()[:16]}"


def is_stored(tag: str) -> bool:
    """Return true if the store holds all of this model's files."""
    folder = stored_folder(tag)
    try:
        return (folder / "model.yaml").is_file() and tag_of(folder) == tag
    except FileNotFoundError:
        return False


def published_tag(tag_file: Path = TAG_FILE) -> str | None:
    """Return the tag that the service loads, if that model is stored and up to date."""
    if not tag_file.is_file():
        return None
    tag = tag_file.read_text().strip()
    if not re.fullmatch(rf"{_NAME}:[0-9a-f]{{16}}", tag) or not is_stored(tag):
        return None
    return tag if _is_present_version(stored_folder(tag)) else None


def name_published(tag: str, tag_file: Path = TAG_FILE) -> None:
    """Write the tag that the service loads, atomically."""
    partial = tag_file.with_name(f".{tag_file.name}.{os.getpid()}")
    partial.write_text(f"{tag}\n")
    partial.replace(tag_file)


def all_versions(weights: Weights, ranges: ActivationRanges) -> tuple[DescriptorVersion, ...]:
    """Return every descriptor in every precision that a build from these inputs writes."""
    quantisation = Quantisation(digest=ranges.digest)
    return tuple(
        descriptor_version(name, weights, precision=precision, quantisation=quantisation)
        for precision in PRECISIONS
        for name in DESCRIPTORS
    )


def _is_present_version(folder: Path) -> bool:
    """Return true if a build from the same weights and ranges computes the same descriptors."""
    try:
        stored = read_versions(folder)
        ranges = ActivationRanges.model_validate_json((folder / RANGES_FILE).read_bytes())
    except ValidationError:
        return False
    return bool(stored) and stored == all_versions(stored[0].weights, ranges)
