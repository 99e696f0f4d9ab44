"""The moments at which the service is made to die, each a function of the product by its name.

A function that was renamed makes `check` fail, so that no point is lost silently. What the service
has to be asked, so that it comes by, is named too.
"""

from dataclasses import asdict, dataclass
from importlib import import_module


@dataclass(frozen=True)
class CrashPoint:
    """A moment, `when` (before, during, after) a function of the service runs.

    Attributes:
        provoked_by: The operation of the load that leads there, `quiet` for an upload
            with nothing after it, `start`, or `heal` for a start without an index.
        skip: How often to pass by first, where the start itself does.
    """

    name: str
    module: str
    function: str
    when: str
    provoked_by: str
    skip: int = 0


_CATALOGUE = "bento_service.catalogue"
_GALLERY = "bento_service.gallery.milvus_gallery"
_STORAGE = "bento_service.storage"

POINTS = (
    # Arriving
    CrashPoint(
        "an upload is half stored", f"{_STORAGE}.blob_store", "copy_stream", "after", "upload"
    ),
    CrashPoint(
        "an upload is pinned, not stored",
        f"{_CATALOGUE}.jobs.upload_pins",
        "UploadPins.pin",
        "after",
        "upload",
    ),
    CrashPoint(
        "an upload is stored, not listed",
        f"{_STORAGE}.folder_blob_store",
        "FolderBlobStore.keep",
        "after",
        "upload",
    ),
    CrashPoint(
        "a job is committed, not answered",
        f"{_CATALOGUE}.jobs.jobs",
        "Jobs.create",
        "after",
        "upload",
    ),
    CrashPoint("a job begins", f"{_CATALOGUE}.jobs.jobs", "Jobs.start", "before", "upload"),
    CrashPoint(
        "a walk has listed files", f"{_CATALOGUE}.jobs.jobs", "Jobs.add_files", "after", "train"
    ),
    CrashPoint(
        "a walk is about to end", f"{_CATALOGUE}.jobs.jobs", "Jobs.finish_walk", "before", "train"
    ),
    # Settling
    CrashPoint(
        "images are written, not committed",
        f"{_CATALOGUE}.jobs.results",
        "settle_files",
        "after",
        "upload",
    ),
    CrashPoint(
        "after the catalogue's commit", f"{_CATALOGUE}.jobs.jobs", "Jobs.settle", "after", "upload"
    ),
    # Following
    CrashPoint(
        "before an upsert into Milvus", _GALLERY, "MilvusGallery.upsert", "before", "upload"
    ),
    CrashPoint("in the middle of an upsert", _GALLERY, "MilvusGallery.upsert", "during", "upload"),
    CrashPoint("after an upsert", _GALLERY, "MilvusGallery.upsert", "after", "upload"),
    CrashPoint(
        "in the middle of a deletion in Milvus",
        _GALLERY,
        "MilvusGallery.delete",
        "during",
        "delete",
    ),
    CrashPoint("after a deletion in Milvus", _GALLERY, "MilvusGallery.delete", "after", "delete"),
    CrashPoint(
        "before the cursor moves",
        f"{_CATALOGUE}.indexes",
        "Indexes.set_applied",
        "before",
        "upload",
    ),
    CrashPoint(
        "after the cursor moved", f"{_CATALOGUE}.indexes", "Indexes.set_applied", "after", "delete"
    ),
    CrashPoint("in the middle of a flush", _GALLERY, "MilvusGallery.flush", "during", "quiet"),
    CrashPoint("after a flush", _GALLERY, "MilvusGallery.flush", "after", "quiet"),
    # Deleting and changing
    CrashPoint(
        "tombstones are written, not committed",
        f"{_CATALOGUE}.images.images",
        "mark_deleted_where",
        "after",
        "delete",
    ),
    CrashPoint(
        "a deletion is committed, not answered",
        f"{_CATALOGUE}.images.images",
        "Images.delete",
        "after",
        "delete",
    ),
    CrashPoint(
        "a deletion by filter is committed",
        f"{_CATALOGUE}.images.filtered",
        "FilteredImages.delete",
        "after",
        "delete_where",
    ),
    CrashPoint(
        "everything is deleted, not answered",
        f"{_CATALOGUE}.images.images",
        "Images.delete_all",
        "after",
        "delete_all",
    ),
    CrashPoint(
        "before tombstones are purged",
        f"{_CATALOGUE}.images.images",
        "Images.purge",
        "before",
        "delete",
        1,
    ),
    CrashPoint(
        "tombstones are purged, uploads are not",
        f"{_CATALOGUE}.images.images",
        "Images.purge",
        "after",
        "delete",
        1,
    ),
    CrashPoint(
        "uploads of purged images are removed",
        f"{_STORAGE}.uploads",
        "Uploads.discard",
        "after",
        "delete",
    ),
    CrashPoint(
        "metadata is half changed",
        f"{_CATALOGUE}.images.attributes",
        "replace_attributes",
        "before",
        "patch",
    ),
    CrashPoint(
        "metadata is changed, not answered",
        f"{_CATALOGUE}.images.images",
        "Images.set_metadata",
        "after",
        "patch",
    ),
    # Collections
    CrashPoint(
        "a collection is made, its index is not",
        f"{_CATALOGUE}.collections",
        "Collections.create",
        "after",
        "create",
    ),
    CrashPoint(
        "an index is made, not filled", _GALLERY, "MilvusGallery._create", "after", "create"
    ),
    CrashPoint(
        "a collection is deleted, its index is not",
        f"{_CATALOGUE}.collections",
        "Collections.delete",
        "after",
        "drop",
    ),
    CrashPoint(
        "in the middle of dropping an index", _GALLERY, "MilvusGallery.drop", "during", "drop"
    ),
    # Reindexing
    CrashPoint(
        "a reindex is begun, not answered",
        f"{_CATALOGUE}.index_lifecycle.reindexes",
        "Reindexes.begin",
        "after",
        "reindex",
    ),
    CrashPoint(
        "reindexed descriptors are committed",
        f"{_CATALOGUE}.jobs.results",
        "settle_reindexed",
        "after",
        "reindex",
    ),
    CrashPoint(
        "a reindexed collection is checked",
        "bento_service.indexing.checks",
        "defect",
        "after",
        "reindex",
    ),
    CrashPoint(
        "before a reindex's switch",
        f"{_CATALOGUE}.index_lifecycle.reindexes",
        "Reindexes.switch",
        "before",
        "reindex",
    ),
    CrashPoint(
        "in the middle of a reindex's switch",
        f"{_CATALOGUE}.index_lifecycle.reindexes",
        "_point_at",
        "after",
        "reindex",
    ),
    CrashPoint(
        "after a reindex's switch",
        f"{_CATALOGUE}.index_lifecycle.reindexes",
        "Reindexes.switch",
        "after",
        "reindex",
    ),
    CrashPoint(
        "a reindex is undone",
        f"{_CATALOGUE}.index_lifecycle.reindexes",
        "Reindexes.undo",
        "after",
        "undo",
    ),
    # Starting and healing
    CrashPoint(
        "the tables are brought up to date",
        f"{_CATALOGUE}.database",
        "Database.migrate",
        "after",
        "start",
    ),
    CrashPoint("an index is being opened", _GALLERY, "MilvusGallery._open", "during", "start"),
    CrashPoint("an index is open, not compared", _GALLERY, "MilvusGallery.open", "after", "start"),
    CrashPoint("an index is compared", _GALLERY, "MilvusGallery.ids", "after", "start"),
    CrashPoint(
        "lacking rows are marked",
        f"{_CATALOGUE}.index_lifecycle.changes",
        "Changes.touch",
        "after",
        "heal",
    ),
    CrashPoint(
        "an index is healed, not purged",
        "bento_service.indexing.open_indexes",
        "OpenIndexes.purge",
        "before",
        "start",
    ),
)


def check() -> None:
    """Look every point up.

    Raises:
        AttributeError: The product has no such function any more; name the one that took its place.
    """
    for point in POINTS:
        owner: object = import_module(point.module)
        for part in point.function.split("."):
            owner = getattr(owner, part)


def as_json() -> list[dict[str, object]]:
    """Return it as JSON for `injected/sitecustomize.py`."""
    return [asdict(point) for point in POINTS]
