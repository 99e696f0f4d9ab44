"""Records of the catalogue as models of the HTTP contract."""

from datetime import UTC, datetime

from bento_service.api import wire
from bento_service.catalogue.records import ImageRecord, SourceRecord
from bento_service.catalogue.states import SourceKind


def record(*sources):
    return ImageRecord(
        id=7,
        collection="cats",
        sha256="a" * 64,
        format="PNG",
        width=4,
        height=3,
        bytes=100,
        metadata={},
        sources=sources,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


def test_an_image_is_named_by_its_first_source():
    image = wire.image(record(SourceRecord(SourceKind.FILE, "photos", "cats/tom.png")))
    assert (image.name, image.source) == ("tom.png", "photos/cats/tom.png")


def test_an_image_that_was_imported_without_sources_is_shown_by_its_id():
    image = wire.image(record())
    assert (image.name, image.source, image.sources) == ("image-7", "image-7", ())
