"""Opening a service in the caller's process: what it is made of, and what can go wrong."""

from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from bento_service.api.configured import surface_alone
from bento_service.application import Application, opened
from bento_service.assembly.backing import Backing
from bento_service.catalogue import Catalogue
from bento_service.descriptors.choice import choose
from bento_service.descriptors.hardware import Hardware
from bento_service.errors import Conflict, LookalikeError
from bento_service.gallery.exact import MAX_EXACT, ExactGallery
from bento_service.gallery.gallery import Gallery
from bento_service.local.errors import LocalError
from bento_service.local.files import OwnFiles
from bento_service.local.model import LocalModel
from bento_service.local.service import LocalService
from bento_service.settings import Settings, SettingsError
from bento_service.storage.image_roots import ImageRoots

failure = LocalError
"""What `open_local` and its result raise."""

Part = tuple[NDArray[np.int64], NDArray[np.float32]]


def _exact(_: Settings, catalogue: Catalogue) -> Gallery:
    def stored(name: str) -> Iterable[Part] | None:
        for index in catalogue.indexes.all():
            if index.name == name:
                return catalogue.vectors.all(index)
        return None

    return ExactGallery(stored)


def _files(settings: Settings) -> ImageRoots:
    return ImageRoots(settings.roots) if settings.image_roots else OwnFiles()


OWN = Backing(
    gallery=_exact,
    roots=_files,
    tries_decoder=False,
    by="A service inside of another process",
    most=MAX_EXACT,
)
"""What a service inside a process stands on: exact search, and the caller's own files."""


def open_local(
    folder: Path | None,
    model: Path,
    *,
    roots: Iterable[Path] = (),
    precision: str | None = None,
    threads: int | None = None,
    backing: Backing = OWN,
) -> LocalService:
    """Open a service in this process.

    Args:
        folder: Where everything is kept; none for one that goes with the service.
        model: The folder of a model that was exported.
        roots: The only folders whose files may be read by path; all files where none is named.
        precision: `int8` or `fp32`; none for the faster one here.
        threads: Cores that describe pictures; none for all.
        backing: What it stands on.

    Raises:
        LocalError: The model is missing, an argument is of no use, or another process has the
            folder.
    """
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="lookalike-")))
        try:
            settings = _settings(folder.absolute(), roots, precision, threads)
            choice = choose(settings, Hardware.detect())
            describing = LocalModel(model, choice, threads=settings.threads)
            surface = surface_alone(partial(_opened, settings, describing, backing), settings)
            service = LocalService(surface, trouble=lambda: describing.trouble)
        except Conflict as error:
            raise LocalError(
                f"another client uses {folder}, perhaps one in another process; close it, or give "
                "each a folder of its own: one named by PYTEST_XDIST_WORKER, or none at all for a "
                "temporary one"
            ) from error
        except (LookalikeError, SettingsError, OperationalError, OSError) as error:
            raise LocalError(f"{folder} cannot be opened: {error}") from error
        service.keep(stack.pop_all())
        return service


def _settings(
    folder: Path, roots: Iterable[Path], precision: str | None, threads: int | None
) -> Settings:
    """Not from the environment, which may be meant for a service elsewhere."""
    given = {"precision": precision, "threads": threads}
    try:
        settings = Settings(
            data_dir=folder,
            image_roots=tuple(root.absolute() for root in roots),
            engine="onnxruntime",
            **{name: value for name, value in given.items() if value is not None},
        )
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        raise SettingsError(f"{first['loc'][0]} is {first['input']!r}: {first['msg']}") from error
    for root in settings.image_roots:
        if not root.is_dir():
            raise SettingsError(f"roots: {root} is no folder")
    return settings


@asynccontextmanager
async def _opened(
    settings: Settings, model: LocalModel, backing: Backing
) -> AsyncIterator[Application]:
    async with (
        model.loading(),
        opened(settings, model.tag, model.versions, model.choice, model, backing) as application,
    ):
        yield application
