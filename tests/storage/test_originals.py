import hashlib
import os
from datetime import UTC, datetime

import pytest

from bento_service.catalogue.records import ImageRecord, SourceRecord
from bento_service.catalogue.states import SourceKind
from bento_service.errors import ImageNotFound, StorageUnavailable
from bento_service.settings import ImageRoot
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.object_blob_store import ObjectBlobStore
from bento_service.storage.originals import Originals
from tests.support.blobs import put
from tests.support.object_storage import BUCKET, unavailable

CONTENT = b"the bytes that were indexed"


@pytest.fixture
def uploads(tmp_path):
    return FolderBlobStore(tmp_path / "uploads")


@pytest.fixture
def originals(roots, uploads):
    return Originals(roots, uploads)


def image(*sources, content=CONTENT):
    return ImageRecord(
        id=7,
        collection="cats",
        sha256=hashlib.sha256(content).hexdigest(),
        format="PNG",
        width=20,
        height=10,
        bytes=len(content),
        metadata={},
        created_at=datetime.now(UTC),
        sources=sources,
    )


def file(path, root="pictures"):
    return SourceRecord(SourceKind.FILE, root, path)


UPLOAD = SourceRecord(SourceKind.UPLOAD, "", "sent.png")


def test_a_file_is_read_from_its_root(originals, folder):
    (folder / "a.png").write_bytes(CONTENT)
    assert originals.read(image(file("a.png"))) == CONTENT


def test_an_upload_is_read_by_its_digest_whatever_its_name(originals, uploads):
    put(uploads, CONTENT)
    assert originals.read(image(UPLOAD)) == CONTENT


def test_the_first_source_that_still_has_the_bytes_is_used(originals, folder, uploads):
    (folder / "changed.png").write_bytes(b"something else")
    (folder / "folder.png").mkdir()
    (folder / "link.png").symlink_to("good.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "good.png").write_bytes(CONTENT)
    paths = ("gone.png", "changed.png", "folder.png", "link.png", "pipe.png", "good.png")
    sources = (file("a.png", root="not configured any more"), UPLOAD, *map(file, paths))
    assert originals.read(image(*sources)) == CONTENT


@pytest.mark.parametrize(
    "content",
    [b"", b"the bytes that were indexeD", CONTENT + b".", CONTENT[:-1]],
    ids=["empty", "changed", "longer", "shorter"],
)
def test_changed_bytes_are_never_returned(content, originals, folder):
    (folder / "a.png").write_bytes(content)
    with pytest.raises(ImageNotFound, match="image 7 was moved or changed"):
        originals.read(image(file("a.png")))


def test_the_error_for_an_unavailable_root_names_it(uploads, tmp_path, folder):
    roots = ImageRoots([ImageRoot("pictures", folder), ImageRoot("card", tmp_path / "card")])
    for name, reason in {
        "card": "'card' cannot be opened .*mount it.*LOOKALIKE_IMAGE_ROOTS=card=/its/folder",
        "a:b": r"folder of image root 'a:b' is not known; .*LOOKALIKE_IMAGE_ROOTS='a\\:b=",
        "pictures": "'pictures' is empty, like that of a disk that is not mounted",
    }.items():
        with pytest.raises(ImageNotFound, match=f"image 7: .*{reason}") as caught:
            Originals(roots, uploads).read(image(file("a.png", root=name)))
        assert str(tmp_path) not in str(caught.value)
        assert "delete" not in str(caught.value)


def test_a_damaged_upload_is_not_returned(originals, uploads, tmp_path):
    (digest,) = put(uploads, CONTENT)
    (tmp_path / "uploads" / digest[:2] / digest).write_bytes(b"bad sector")
    with pytest.raises(ImageNotFound):
        originals.read(image(UPLOAD))


def test_the_error_for_a_missing_original_does_not_reveal_its_path(originals, tmp_path):
    with pytest.raises(ImageNotFound) as caught:
        originals.read(image(file("secret/a.png"), UPLOAD))
    assert "secret" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_grew_to_a_terabyte_is_not_read(originals, folder):
    with (folder / "a.png").open("wb") as grown:
        grown.write(CONTENT)
        grown.truncate(2**40)
    with pytest.raises(ImageNotFound):
        originals.read(image(file("a.png")))


def test_object_storage_that_is_away_is_no_loss(roots, folder, s3):
    blobs = ObjectBlobStore(f"s3://{BUCKET}/uploads", **s3.options)
    put(blobs, CONTENT)
    originals = Originals(roots, blobs)
    s3.fault = unavailable
    with pytest.raises(StorageUnavailable):
        originals.read(image(UPLOAD, file("gone.png")))
    (folder / "a.png").write_bytes(CONTENT)
    assert originals.read(image(UPLOAD, file("a.png"))) == CONTENT
    s3.fault = None
    assert originals.read(image(UPLOAD)) == CONTENT


def test_files_outside_the_roots_are_not_read(originals, tmp_path):
    (tmp_path / "secret.png").write_bytes(CONTENT)
    for path in ("../secret.png", str(tmp_path / "secret.png")):
        with pytest.raises(ImageNotFound):
            originals.read(image(file(path)))
