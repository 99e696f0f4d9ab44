"""Puts a built model into BentoML's store, under a tag that its contents determine."""

import logging
import os
import shutil
from dataclasses import asdict
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from bento_service.vision.descriptor_version import DescriptorVersion
from model_build.convert import Comparison
from model_build.errors import PublishingFailed
from model_build.store import MODEL_FILES, is_stored, stored_folder, tag_of

_LOG = logging.getLogger(__name__)


def publish(folder: Path, version: DescriptorVersion, comparison: Comparison) -> str:
    """Copy a model into the store that BENTOML_HOME names; one that is there already is kept.

    Args:
        folder: Holds the network, the golden vectors and the version.
        version: What the network computes.
        comparison: How well it was found to compute that.

    Returns:
        The exact tag. The same files always get the same one.

    Raises:
        PublishingFailed: BentoML refuses, or the disk does.
    """
    tag = tag_of(folder)
    if is_stored(tag):
        _LOG.info("%s is in the store already and is kept", tag)
        return tag
    _save(tag, folder, _labels(version), _metadata(version, comparison))
    return tag


def _save(tag: str, folder: Path, labels: dict[str, str], metadata: dict[str, Any]) -> None:
    # Saving a model would tell BentoML's makers; whoever wants that sets the variable.
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    import bentoml

    try:
        if stored_folder(tag).exists():
            _LOG.warning("%s is in the store but damaged; it is replaced", tag)
            bentoml.models.delete(tag)
        with bentoml.models.create(tag, labels=labels, metadata=metadata) as model:
            Path(model.path).chmod(0o755)  # BentoML leaves it closed to the container's user
            for name in MODEL_FILES:
                shutil.copyfile(folder / name, model.path_of(name))
    except (bentoml.exceptions.BentoMLException, OSError) as error:
        raise PublishingFailed(
            f"{tag} cannot be saved in the model store: {error}; see that BENTOML_HOME names a "
            "folder that you may write to, with 200 MB to spare"
        ) from error


def _labels(version: DescriptorVersion) -> dict[str, str]:
    return {
        "descriptor": version.name,
        "precision": version.precision,
        "fingerprint": version.fingerprint,
    }


def _metadata(version: DescriptorVersion, comparison: Comparison) -> dict[str, Any]:
    packages = ("torch", "torchvision", "onnx", "onnxruntime", "pillow")
    return {
        **version.model_dump(mode="json", exclude_none=True),  # BentoML takes no None
        "fingerprint": version.fingerprint,
        "check": asdict(comparison),
        "built_with": {package: installed_version(package) for package in packages},
    }
