"""The engine of a bulk run: the same descriptors on every machine."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from bento_service.assembly.opening import space_of
from bento_service.catalogue.records import DescriptorSpace
from bento_service.descriptors.choice import choose
from bento_service.descriptors.hardware import Hardware
from bento_service.descriptors.model import Model, find_versions, read_tag
from bento_service.errors import NotReady
from bento_service.settings import Settings

_NEEDED = {
    "descriptor",
    "engine",
    "precision",
    "max_upload_bytes",
    "max_pixels",
    "max_jpeg_pixels",
    "decoders",
    "decoder_seconds",
    "decoder_memory_bytes",
}


@dataclass(frozen=True)
class EngineChoice:
    """The folder of an exported model, and the space that its descriptors must have, if any."""

    model: Path
    space: DescriptorSpace | None = None


def find_space(model: Path, settings: Settings) -> DescriptorSpace:
    """Return the space of the descriptors that this machine would compute by the settings."""
    choice = choose(settings, Hardware.detect())
    return space_of(_tag(model), find_versions(model, choice)[0])


def load_model(choice: EngineChoice, settings: Settings) -> tuple[Model, DescriptorSpace, int]:
    """Load a model; return it with the space of its descriptors and the pictures of one run.

    A machine with other hardware than the one that began uses the same precision all the same.
    """
    if choice.space is not None:
        settings = settings.model_copy(
            update={
                "descriptor": choice.space.descriptor,
                "precision": choice.space.precision,
            }
        )
    engine = choose(settings, Hardware.detect())
    tag = _tag(choice.model)
    model = Model.load(choice.model, engine, threads=settings.threads)
    space = space_of(tag, model.version)
    if choice.space is not None and space.fingerprint != choice.space.fingerprint:
        raise NotReady(
            f"the model {space.model} computes descriptors of {space.fingerprint[:12]}, the run "
            f"began with {choice.space.fingerprint[:12]}; give every machine the same model"
        )
    return model, space, engine.ingest_run


def settings_of_worker(settings: Settings, *, threads: int) -> Settings:
    """Return the settings that a process elsewhere needs, without secrets."""
    values = settings.model_dump(include=_NEEDED)
    return Settings(**values, threads=threads)


def _tag(model: Path) -> str:
    try:
        return read_tag(model)
    except FileNotFoundError as error:
        export = f"--export {shlex.quote(str(model))}"
        raise NotReady(
            f"there is no model in {model}; run `python -m model_build {export}`"
        ) from error
