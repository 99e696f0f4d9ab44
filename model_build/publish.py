"""Publishing of a built model in BentoML's store, under a tag of its contents."""

import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from bento_service.descriptors.version import DescriptorVersion
from model_build.convert import Agreement
from model_build.errors import PublishingFailed
from model_build.store import MODEL_FILES, is_stored, stored_folder, tag_of

_LOG = logging.getLogger(__name__)


def publish(
    folder: Path, versions: Sequence[DescriptorVersion], agreements: Sequence[Agreement]
) -> str:
    """Copy a model's folder into the store that BENTOML_HOME names, and return its tag.

    Equal files have equal tags; an equal model in the store is kept.

    Raises:
        PublishingFailed: BentoML or the disk failed.
    """
    tag = tag_of(folder)
    if is_stored(tag):
        _LOG.info("%s is in the store already and is kept", tag)
        return tag
    labels = {"network": "vgg16", "weights": versions[0].weights.digest[:16]}
    _save(tag, folder, labels, _metadata(versions, agreements))
    return tag


def _save(tag: str, folder: Path, labels: dict[str, str], metadata: dict[str, Any]) -> None:
    # BentoML would send usage statistics to its makers; the operator can allow that.
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    import bentoml

    try:
        if stored_folder(tag).exists():
            _LOG.warning("%s is in the store but damaged; it is replaced", tag)
            bentoml.models.delete(tag)
        with bentoml.models.create(tag, labels=labels, metadata=metadata) as model:
            Path(model.path).chmod(0o755)  # BentoML creates it unreadable for the container's user
            for name in MODEL_FILES:
                shutil.copyfile(folder / name, model.path_of(name))
    except (bentoml.exceptions.BentoMLException, OSError) as error:
        raise PublishingFailed(
            f"{tag} cannot be saved in the model store: {error}; see that BENTOML_HOME names a "
            "folder that you may write to, with 200 MB to spare"
        ) from error


def _metadata(
    versions: Sequence[DescriptorVersion], agreements: Sequence[Agreement]
) -> dict[str, Any]:
    return {
        "versions": [
            {"fingerprint": version.fingerprint}
            | version.model_dump(mode="json", exclude_none=True)  # BentoML rejects None
            for version in versions
        ],
        "agreement_with_pytorch": [asdict(agreement) for agreement in agreements],
        "built_with": _installed("torch", "torchvision", "onnx", "onnxruntime", "pillow"),
    }


def _installed(*packages: str) -> dict[str, str]:
    """Return the versions of those of the packages that are installed."""
    versions = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = installed_version(package)
    return versions
