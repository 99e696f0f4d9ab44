"""The steps from weights to a model in the store."""

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bento_service.descriptors.choice import Choice
from bento_service.descriptors.golden import GOLDEN_FILE, save_golden
from bento_service.descriptors.model import NETWORK_FILES, Model
from bento_service.descriptors.version import (
    DESCRIPTORS,
    QUANTISED,
    DescriptorVersion,
    Weights,
    write_versions,
)
from bento_service.settings.cores import usable_cores
from model_build.activation_ranges import RANGES_FILE, ActivationRanges
from model_build.calibration import measure_ranges
from model_build.convert import Agreement, check, check_by_golden, convert, has_pytorch
from model_build.export import export
from model_build.golden import golden_vectors, quantised_vectors
from model_build.publish import publish
from model_build.recipes import descriptor_version
from model_build.sources import find_weights
from model_build.store import TAG_FILE, all_versions, name_published, stored_folder
from model_build.weights import Vgg16Weights

_LOG = logging.getLogger(__name__)


def build(
    weights: str, downloads: Path, *, calibrate: Path | None = None, tag_file: Path = TAG_FILE
) -> str:
    """Build the model, check it, publish it and return its exact tag.

    Args:
        weights: See `find_weights`.
        downloads: Folder where fetched files are kept.
        calibrate: Folder of photographs to measure activation ranges on, or none.
        tag_file: File for the tag, which names the model that the service loads. It is written once
            the stored model reproduces its golden vectors.

    Raises:
        ModelBuildError: See its subclasses.
        NotReady: The stored model does not reproduce the golden vectors.
    """
    with (
        _built(weights, downloads, calibrate) as (folder, versions, agreements),
        _step("model published"),
    ):
        tag = publish(folder, versions, agreements)
    with _step("stored model reproduces the golden vectors"):
        _verify(stored_folder(tag))
    name_published(tag, tag_file)
    return tag


def build_into(
    target: Path, weights: str, downloads: Path, *, calibrate: Path | None = None
) -> str:
    """Build and check the model as `build` does, but put it into a folder, without BentoML."""
    with _built(weights, downloads, calibrate) as (folder, _, _):
        with _step("model reproduces the golden vectors"):
            _verify(folder)
        return export(folder, target)


def _verify(folder: Path) -> None:
    threads = usable_cores()
    for precision in NETWORK_FILES:
        for descriptor in DESCRIPTORS:
            Model.load(folder, Choice(descriptor, "onnxruntime", precision), threads=threads)


_Built = tuple[Path, tuple[DescriptorVersion, ...], tuple[Agreement, ...]]


@contextmanager
def _built(weights: str, downloads: Path, calibrate: Path | None) -> Iterator[_Built]:
    """Yield a folder with the model's files, its descriptor versions and their agreement."""
    with _step("weights found"):
        found = find_weights(weights, downloads)
    record = Weights(digest=found.digest, source=found.source)
    ranges = ActivationRanges.committed()
    if calibrate is not None:
        with _step(f"activations measured on {calibrate}"):
            ranges = measure_ranges(found, descriptor_version("vgg16-mac", record), calibrate)
    versions = all_versions(record, ranges)
    with tempfile.TemporaryDirectory(prefix="model-build-") as folder:
        threads = usable_cores()
        yield Path(folder), versions, _make(Path(folder), found, versions, ranges, threads)


def _make(
    folder: Path,
    weights: Vgg16Weights,
    versions: tuple[DescriptorVersion, ...],
    ranges: ActivationRanges,
    threads: int,
) -> tuple[Agreement, ...]:
    """Write the model's files and compare the networks with PyTorch."""
    with _step("networks converted"):
        convert(weights, versions, ranges, folder)
        ranges.save(folder / RANGES_FILE)
        write_versions(versions, folder)
    if has_pytorch():
        with _step("networks compared with PyTorch"):
            agreements = check(folder, weights, versions, threads=threads)
    else:
        with _step("networks compared with the golden vectors, as PyTorch is not installed"):
            agreements = check_by_golden(folder, versions, threads=threads)
    for agreement in agreements:
        _LOG.info(
            "         %-11s in %s: cosine on photographs: mean %.6f, min %.6f",
            agreement.output,
            agreement.precision,
            agreement.mean_cosine,
            agreement.min_cosine,
        )
    with _step("golden vectors written"):
        quantised = [version for version in versions if version.precision in QUANTISED]
        golden = [golden_vectors(v) for v in versions if v.precision not in QUANTISED]
        golden += quantised_vectors(quantised, folder / NETWORK_FILES["int8"], threads=threads)
        save_golden(golden, folder / GOLDEN_FILE)
    return agreements


@contextmanager
def _step(done: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    _LOG.info("%5.1f s  %s", time.monotonic() - began, done)
