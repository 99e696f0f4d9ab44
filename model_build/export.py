"""Export of a built model into a plain folder, for services inside another process."""

import logging
import os
import shutil
from pathlib import Path

from bento_service.descriptors.model import TAG_FILE, read_tag
from model_build.errors import PublishingFailed
from model_build.store import MODEL_FILES, tag_of

_LOG = logging.getLogger(__name__)


def export(folder: Path, target: Path) -> str:
    """Copy a model's folder and return its tag, the same as in BentoML's store.

    The target is created, or its model replaced; it always holds one model completely.

    Raises:
        PublishingFailed: The target holds other files, or cannot be written.
    """
    tag = tag_of(folder)
    if exported_tag(target) == tag:
        _LOG.info("%s is in %s already", tag, target)
        return tag
    if target.exists() and not (target / TAG_FILE).is_file() and any(target.iterdir()):
        raise PublishingFailed(f"{target} holds something else; name an empty or a new folder")
    partial, former = (target.with_name(f".{target.name}.{os.getpid()}{end}") for end in ("", "-"))
    try:
        partial.mkdir(parents=True)
        for name in MODEL_FILES:
            shutil.copyfile(folder / name, partial / name)
        (partial / TAG_FILE).write_text(f"{tag}\n")
        if target.exists():
            target.rename(former)
        partial.rename(target)
    except OSError as error:
        raise PublishingFailed(
            f"the model cannot be put into {target}: {error}; name a folder that you may write to, "
            "with 100 MB to spare"
        ) from error
    finally:
        for left in (partial, former):
            shutil.rmtree(left, ignore_errors=True)
    return tag


def exported_tag(target: Path) -> str | None:
    """Return the tag of the model in a folder, if it is complete."""
    try:
        tag = read_tag(target)
        return tag if tag_of(target) == tag else None
    except FileNotFoundError:
        return None
