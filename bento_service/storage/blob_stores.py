"""The choice of the store of uploaded bytes: a folder, or object storage."""

from importlib.util import find_spec

from bento_service.settings import Settings, SettingsError
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
    if not settings.has_object_storage:
        return
    scheme = settings.storage.partition("://")[0]
    if find_spec("fsspec") is None:
        raise SettingsError(f"LOOKALIKE_STORAGE names object storage, which needs fsspec; {_EXTRA}")
    from fsspec.registry import known_implementations

    known = known_implementations.get(scheme)
    if known is None:
        raise SettingsError(
            f"LOOKALIKE_STORAGE begins with {scheme}://, which fsspec does not know"
        )
    package = known["class"].partition(".")[0]
    if find_spec(package) is None:
        advice = _EXTRA if package == "s3fs" else f"install {package}"
        raise SettingsError(
            f"LOOKALIKE_STORAGE begins with {scheme}://, and {package} is not installed; {advice}"
        )
