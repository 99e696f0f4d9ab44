"""Opening a service in the caller's process."""

from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from bento_service.api.app import surface_alone
from bento_service.application import Application
from bento_service.assembly.backing import Backing
from bento_service.assembly.opening import opened
from bento_service.catalogue import Catalogue
from bento_service.descriptors.choice import choose
from bento_service.descriptors.hardware import Hardware
from bento_service.errors import Conflict, LookalikeError
from bento_service.gallery.exact import MAX_EXACT, ExactGallery
from bento_service.gallery.gallery import Gallery
from bento_service.local import LocalError
from bento_service.local.files import OwnFiles
from bento_service.local.model import LocalModel
from bento_service.local.service import LocalService
from bento_service.settings import Settings, SettingsError
from bento_service.settings.locations import model_folder
from bento_service.settings.root_list import ConfiguredRoot
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.root_bindings import bound_roots

failure = LocalError
"""The error of `open_local` and of its result."""


def _exact(_: Settings, catalogue: Catalogue) -> Gallery:
    return ExactGallery(catalogue.descriptors.of_index)


def _files(settings: Settings, catalogue: Catalogue) -> ImageRoots:
    roots = bound_roots(catalogue, settings.image_roots)
    return roots if settings.image_roots else OwnFiles(roots.all)


OWN = Backing(
    gallery=_exact,
    roots=_files,
    tries_decoder=False,
    embedded_name="A service inside of another process",
    max_embedded=MAX_EXACT,
)
"""The backing of a service inside a process: exact search and the caller's own files."""


def open_local(
    folder: str | PurePath | None,
    model: str | PurePath | None = None,
    *,
    roots: Iterable[str | PurePath] = (),
    precision: str | None = None,
    threads: int | None = None,
    backing: Backing = OWN,
) -> LocalService:
    """Open a service in this process.

    Args:
        folder: The data folder; none for a temporary one.
        model: The folder of an exported model; none for the usual one.
        roots: Folders whose files may be read by path; without any, all files.
        precision: `int8`, `int8_openvino` or `fp32`; none for the fastest one on this machine.
        threads: Cores that describe pictures; none for all.
        backing: The gallery and the image roots.

    Raises:
        LocalError: The model is missing, an argument is invalid, or another process uses the
            folder.
    """
    with ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(TemporaryDirectory(prefix="lookalike-"))
        try:
            settings = _settings(Path(folder).absolute(), roots, precision, threads)
            without_torch = replace(Hardware.detect(), torch=False, cuda=False)
            choice = choose(settings, without_torch)
            describing = LocalModel(model_folder(model), choice, threads=settings.threads)
            surface = surface_alone(partial(_opened, settings, describing, backing), settings)
            service = LocalService(surface, trouble=lambda: describing.trouble)
        except Conflict as error:
            raise LocalError(
                f"another client uses {folder}, perhaps one in another process; close it, or give "
                "each a folder of its own: one named by PYTEST_XDIST_WORKER, or none at all for a "
                "temporary one"
            ) from error
        except (LookalikeError, SettingsError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise LocalError(f"{folder} cannot be opened: {reason}") from error
        service.keep(stack.pop_all())
        return service


def _settings(
    folder: Path, roots: Iterable[str | PurePath], precision: str | None, threads: int | None
) -> Settings:
    """Return settings without the environment, which may configure another service."""
    given = {"precision": precision, "threads": threads}
    try:
        settings = Settings(
            data_dir=folder,
            image_roots=tuple(ConfiguredRoot(Path(root).absolute()) for root in roots),
            **{name: value for name, value in given.items() if value is not None},
        )
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        raise SettingsError(f"{first['loc'][0]} is {first['input']!r}: {first['msg']}") from error
    for root in settings.image_roots:
        if not Path(root.path).is_dir():
            raise SettingsError(f"roots: {root.path} is no folder")
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
