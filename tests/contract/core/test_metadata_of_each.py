"""Metadata of each picture in one upload, and archives that give theirs to their members."""

import io
import zipfile
from uuid import uuid4

import pytest

from client_sdk import UsageError


@pytest.fixture
def own(client):
    name = f"own-{uuid4().hex[:8]}"
    client.create_collection(name)
    yield name
    client.collection(name).delete()


def test_each_picture_of_an_upload_has_its_own_metadata(client, own, photographs):
    names = ["coins.jpg", "chelsea.jpg", "coffee.jpg"]
    metadata = [{"price": 1}, None, {"price": 3, "shop": "north"}]
    files = [photographs / name for name in names]
    client.upload(files, collection=own, metadata=metadata).wait()
    held = {image.name: image.metadata for image in client.images(collection=own)}
    assert [held[name] for name in names] == [{"price": 1}, {}, {"price": 3, "shop": "north"}]


def test_the_pictures_of_an_archive_have_its_metadata(client, own, photographs):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(photographs / "coins.jpg", "coins.jpg")
    sent = [("a.zip", archive.getvalue()), photographs / "coffee.jpg"]
    client.upload(sent, collection=own, metadata=[{"box": 1}, {"box": 2}]).wait()
    held = {image.name: image.metadata for image in client.images(collection=own)}
    assert held == {"coins.jpg": {"box": 1}, "coffee.jpg": {"box": 2}}


def test_a_list_of_another_length_is_refused(client, own, photographs):
    with pytest.raises(UsageError, match="metadata has 2 entries for 1 pictures"):
        client.upload(photographs / "coins.jpg", collection=own, metadata=[{}, {}])
