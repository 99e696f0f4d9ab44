"""The choice of the store of uploaded bytes, and what object storage needs to be installed."""

from importlib.util import find_spec

from bento_service.settings import Settings, SettingsError
from bento_service.settings.root_list import is_address
from bento_service.storage.blob_store import BlobStore
from bento_service.storage.folder_blob_store import FolderBlobStore

_EXTRA = "install lookalike-service[object-storage]"


def open_blob_store(settings: Settings) -> BlobStore:
    """Return the store that the settings name, without connecting to it.

    Raises:
        SettingsError: A package for that kind of object storage is not installed.
    """
    if not settings.has_object_storage:
        return FolderBlobStore(settings.uploads_dir)
    check_blob_store(settings)
    # Libraries of object storage take much memory, and are not installed everywhere.
    from bento_service.storage.object_blob_store import ObjectBlobStore

    return ObjectBlobStore(settings.storage)


def check_blob_store(settings: Settings) -> None:
    """Check that the packages for the object storage of the settings are installed.

    Raises:
        SettingsError: One is missing, or fsspec does not know the scheme.
    """
    addresses = {"LOOKALIKE_STORAGE": [settings.storage]}
    addresses["LOOKALIKE_IMAGE_ROOTS"] = [str(root.path) for root in settings.image_roots]
    for name, places in addresses.items():
        for problem in filter(None, map(missing_package, places)):
            raise SettingsError(f"{name} names {problem}")


def missing_package(place: str) -> str | None:
    """Return what is missing for object storage at an address, with advice; `None` for folders."""
    if not is_address(place):
        return None
    if find_spec("fsspec") is None:
        return f"object storage, which needs fsspec; {_EXTRA}"
    from fsspec.registry import known_implementations

    scheme = place.partition("://")[0]
    known = known_implementations.get(scheme)
    if known is None:
        return f"{scheme}://, which fsspec does not know"
    package = known["class"].partition(".")[0]
    if find_spec(package) is None:
        advice = _EXTRA if package == "s3fs" else f"install {package}"
        return f"{scheme}://, and {package} is not installed; {advice}"
    return None
