import hashlib
import io
import os
import struct
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from bento_service.catalogue.jobs.records import FileRecord, JobRecord, Outcome
from bento_service.catalogue.states import SourceKind
from bento_service.descriptors.describer import Describer
from bento_service.errors import ImageNotFound
from bento_service.ingest.worker.reading import Reader, ReadPicture
from bento_service.settings import ImageRoot
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.image_roots import ImageRoots
from client_sdk.schemas import JobState
from tests.support.blobs import put
from tests.support.file_access import open_files
from tests.support.local_decoder import LocalDecoder

MAX_BYTES, MAX_PIXELS = 100_000, 10_000


def encoded(colour, file_format="PNG", size=(20, 10)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, file_format)
    return file.getvalue()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def job(kind=SourceKind.FILE, collection_id=1):
    return JobRecord(
        number=1,
        id="j1",
        collection_id=collection_id,
        collection="cats",
        kind=kind,
        root="pictures" if kind is SourceKind.FILE else "",
        path="",
        recursive=True,
        ignore=(),
        metadata={},
        state=JobState.IN_PROGRESS,
        walked=True,
        total=1,
        indexed=0,
        duplicates=0,
        failed=0,
        detail=None,
        created_at=datetime.now(UTC),
        started_at=None,
        finished_at=None,
    )


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.fixture
def uploads(tmp_path):
    return FolderBlobStore(tmp_path / "uploads")


@pytest.fixture
def known():
    """Return the pairs of collection and digest that are indexed already."""
    return set()


@pytest.fixture
def originals():
    """Return the bytes that can be read again, by collection and digest, or an error."""
    return {}


@pytest.fixture
def reader(folder, uploads, known, originals):
    def original(collection_id, sha256):
        found = originals.get((collection_id, sha256))
        if isinstance(found, Exception):
            raise found
        return found

    return Reader(
        ImageRoots([ImageRoot("pictures", folder)]),
        uploads,
        Describer(LocalDecoder(max_pixels=MAX_PIXELS), None, side=4),
        known=lambda collection_id, sha256: (collection_id, sha256) in known,
        original=original,
        max_bytes=MAX_BYTES,
    )


@pytest.fixture
def read(reader):
    def one(path, sha256=None, of=None):
        return reader.read(of or job(), FileRecord(7, path, sha256))

    return one


def failure(outcome):
    assert isinstance(outcome, Outcome)
    assert outcome.described is None
    assert outcome.detail
    return outcome.code


def test_a_file_of_a_root_becomes_pixels(read, folder):
    data = encoded("red")
    (folder / "a.png").write_bytes(data)
    found = read("a.png")
    assert isinstance(found, ReadPicture)
    assert found.file == FileRecord(7, "a.png", None)
    assert (found.picture.sha256, found.picture.bytes) == (digest(data), len(data))
    assert (found.picture.width, found.picture.height, found.picture.format) == (20, 10, "PNG")
    assert np.array_equal(found.pixels, np.full((4, 4, 3), (255, 0, 0), np.uint8))


def test_an_upload_becomes_pixels(read, uploads):
    data = encoded("red", "GIF")
    (sha256,) = put(uploads, data)
    found = read("whatever.txt", sha256, job(SourceKind.UPLOAD))
    assert (found.picture.sha256, found.picture.bytes, found.picture.format) == (
        digest(data),
        len(data),
        "GIF",
    )


def test_bytes_that_the_collection_holds_are_not_decoded_again(read, folder, known):
    (folder / "a.png").write_bytes(b"not even a picture")
    known.add((1, digest(b"not even a picture")))
    outcome = read("a.png")
    assert outcome == Outcome(
        FileRecord(7, "a.png", None),
        known_sha256=digest(b"not even a picture"),
        reading=outcome.reading,
    )


def test_another_collections_bytes_are_decoded(read, folder, known):
    (folder / "a.png").write_bytes(encoded("red"))
    known.add((2, digest(encoded("red"))))
    assert isinstance(read("a.png"), ReadPicture)


def test_a_deleted_collection_holds_nothing(read, folder):
    (folder / "a.png").write_bytes(encoded("red"))
    assert isinstance(read("a.png", of=job(collection_id=None)), ReadPicture)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "unsupported_media_type"),
        (b"a letter", "unsupported_media_type"),
        (encoded("red")[:50], "image_unreadable"),
        (encoded("red", "BMP", (200, 200))[:20_000], "too_large"),
        (encoded("red", "BMP", (180, 180))[: MAX_BYTES + 1] + bytes(20_000), "too_large"),
    ],
    ids=["empty", "text", "truncated", "pixels", "bytes"],
)
def test_the_fault_of_a_file_is_its_outcome(content, code, read, folder):
    (folder / "a.jpg").write_bytes(content)
    assert failure(read("a.jpg")) == code


def test_a_file_of_a_terabyte_is_refused_without_reading_it(read, folder):
    with (folder / "a.jpg").open("wb") as file:
        file.truncate(2**40)
    outcome = read("a.jpg")
    assert failure(outcome) == "too_large"
    assert "1099511627776 bytes; at most 100000" in outcome.detail


def test_a_picture_of_just_the_allowed_size_is_read(read, folder):
    data = encoded("red")
    (folder / "a.png").write_bytes(data + bytes(MAX_BYTES - len(data)))
    assert read("a.png").picture.bytes == MAX_BYTES


def test_a_picture_that_makes_pillow_stumble_is_an_outcome(read, folder):
    data = bytearray(encoded("red", "TIFF"))
    at = data.index(struct.pack("<HH", 273, 4))
    data[at + 2 : at + 4] = struct.pack("<H", 2)  # the strips begin at a text: TypeError
    (folder / "a.tif").write_bytes(data)
    assert failure(read("a.tif")) == "image_unreadable"


def test_places_that_are_no_files_are_outcomes(read, folder, tmp_path):
    (tmp_path / "secret.png").write_bytes(encoded("red"))
    (folder / "link").symlink_to(tmp_path / "secret.png")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    codes = {name: failure(read(name)) for name in ("link", "folder", "pipe", "nowhere", "n" * 300)}
    assert codes == {
        "link": "forbidden",
        "folder": "forbidden",
        "pipe": "forbidden",
        "nowhere": "path_not_found",
        "n" * 300: "path_not_found",
    }


def test_a_root_that_has_gone_is_an_outcome(read, folder):
    folder.rmdir()
    assert failure(read("a.png")) == "path_not_found"


def test_uploaded_bytes_that_have_gone_are_an_outcome(read):
    assert failure(read("a.png", digest(b"gone"), job(SourceKind.UPLOAD))) == "image_not_found"


def test_an_upload_without_a_digest_is_an_outcome(read):
    assert failure(read("a.png", None, job(SourceKind.UPLOAD))) == "image_not_found"


def test_reading_leaves_no_descriptor_open(read, folder):
    (folder / "good.png").write_bytes(encoded("red"))
    (folder / "bad.png").write_bytes(b"bad")
    (folder / "folder").mkdir()
    before = open_files(folder)
    for name in ("good.png", "bad.png", "folder", "nowhere"):
        read(name)
    assert open_files(folder) == before


# Reading the images of a collection again


def test_an_image_is_read_again_whatever_the_collection_knows(read, originals, known):
    content = encoded("red")
    originals[1, digest(content)] = content
    known.add((1, digest(content)))
    again = read("a.png", digest(content), job(SourceKind.REINDEX))
    assert isinstance(again, ReadPicture)
    assert (again.picture.sha256, again.picture.bytes) == (digest(content), len(content))
    assert again.pixels.reshape(-1, 3).tolist() == [[255, 0, 0]] * 16


def test_an_image_that_was_deleted_meanwhile_needs_nothing(read):
    assert read("a.png", "d" * 64, job(SourceKind.REINDEX)) == Outcome(
        FileRecord(7, "a.png", "d" * 64), known_sha256="d" * 64
    )


def test_an_image_whose_bytes_are_gone_is_an_outcome(read, originals):
    originals[1, "d" * 64] = ImageNotFound("the original of image 5 was moved")
    outcome = read("a.png", "d" * 64, job(SourceKind.REINDEX))
    assert (outcome.code, outcome.detail) == ("path_not_found", "the original of image 5 was moved")
