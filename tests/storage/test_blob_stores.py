"""The interface of stores of bytes, for a folder, S3 and another file system of fsspec."""

import hashlib
import io
import os
from importlib.machinery import PathFinder
from uuid import uuid4

import pytest

from bento_service.errors import ImageNotFound
from bento_service.settings import Settings, SettingsError
from bento_service.settings.root_list import ConfiguredRoot
from bento_service.storage.blob_stores import check_blob_store, open_blob_store
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.object_blob_store import ObjectBlobStore
from tests.support.blobs import put
from tests.support.object_storage import BUCKET

LARGE = bytes(range(256)) * 10_000  # more than is copied at once


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=["folder", "s3", "memory"])
def blobs(request, tmp_path):
    if request.param == "folder":
        return FolderBlobStore(tmp_path / "uploads")
    if request.param == "memory":
        return ObjectBlobStore(f"memory://{uuid4().hex}/uploads")
    s3 = request.getfixturevalue("s3")
    return ObjectBlobStore(f"s3://{BUCKET}/some/uploads", **s3.options)


def read(blobs, sha256):
    with blobs.open(sha256) as file:
        assert os.fstat(file.fileno()).st_size == file.seek(0, 2)
        file.seek(0)
        return file.read()


def test_nothing_is_stored_in_a_new_place(blobs):
    assert list(blobs.stored()) == []
    assert blobs.sizes([digest(b"one")]) == {}
    blobs.remove_partial()
    blobs.check_room(1)


@pytest.mark.parametrize("content", [b"one", b"", LARGE], ids=["small", "empty", "large"])
def test_stored_bytes_can_be_read(blobs, content):
    assert put(blobs, content) == [digest(content)]
    assert read(blobs, digest(content)) == content


def test_many_contents_are_stored_together(blobs):
    contents = [f"number {n}".encode() for n in range(40)]
    assert put(blobs, *contents) == [digest(content) for content in contents]
    assert sorted(blobs.stored()) == sorted(map(digest, contents))
    assert blobs.sizes(map(digest, contents)) == {digest(each): len(each) for each in contents}


def test_the_same_bytes_are_stored_once(blobs):
    put(blobs, b"one", b"one")
    put(blobs, b"one")
    assert list(blobs.stored()) == [digest(b"one")]
    assert read(blobs, digest(b"one")) == b"one"


def test_staged_bytes_that_are_dropped_are_not_stored(blobs):
    blobs.drop([blobs.stage(io.BytesIO(b"one"))])
    assert list(blobs.stored()) == []


def test_missing_bytes_are_an_error_that_says_what_to_do(blobs):
    with pytest.raises(ImageNotFound, match="upload the picture again"):
        blobs.open(digest(b"never sent"))


def test_removed_bytes_are_gone_and_missing_ones_are_skipped(blobs):
    put(blobs, b"one", b"two")
    blobs.remove({digest(b"one"), digest(b"never sent")})
    assert list(blobs.stored()) == [digest(b"two")]
    blobs.remove({digest(b"one")})
    blobs.remove(set())


def test_a_stream_that_fails_leaves_nothing(blobs):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        blobs.stage(Broken())
    assert list(blobs.stored()) == []


# The choice by the settings


def test_uploads_are_in_the_data_folder_by_default(tmp_path):
    assert isinstance(open_blob_store(Settings(data_dir=tmp_path)), FolderBlobStore)
    assert Settings(data_dir=tmp_path).uploads_dir == tmp_path / "uploads"


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_uploads_can_be_in_another_folder(tmp_path, prefix):
    settings = Settings(data_dir=tmp_path / "data", storage=f"{prefix}{tmp_path}/shared")
    assert settings.uploads_dir == tmp_path / "shared"
    assert isinstance(open_blob_store(settings), FolderBlobStore)


def test_an_address_is_object_storage(tmp_path):
    settings = Settings(data_dir=tmp_path, storage="s3://bucket/prefix")
    assert isinstance(open_blob_store(settings), ObjectBlobStore)


@pytest.mark.parametrize(
    ("storage", "absent", "message"),
    [
        ("s3://bucket", "s3fs", r"s3fs is not installed.*lookalike-service\[object-storage\]"),
        ("s3://bucket", "fsspec", r"needs fsspec.*lookalike-service\[object-storage\]"),
        ("gs://bucket", "gcsfs", "gcsfs is not installed; install gcsfs"),
        ("s4://bucket", None, "s4://, which fsspec does not know"),
    ],
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, storage, absent, message):
    find = PathFinder.find_spec

    def without(name, *rest):
        return None if name == absent else find(name, *rest)

    monkeypatch.setattr(PathFinder, "find_spec", without)
    if absent:
        monkeypatch.delitem(__import__("sys").modules, absent, raising=False)
    settings = Settings(data_dir=tmp_path, storage=storage)
    for check in (check_blob_store, open_blob_store):
        with pytest.raises(SettingsError, match=f"LOOKALIKE_STORAGE names .*{message}"):
            check(settings)
    with pytest.raises(SettingsError, match=f"LOOKALIKE_IMAGE_ROOTS names .*{message}"):
        check_blob_store(Settings(data_dir=tmp_path, image_roots=(ConfiguredRoot(storage),)))
