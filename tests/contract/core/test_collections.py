"""Collections, and those that expire by themselves."""

import io
from datetime import timedelta
from uuid import uuid4

import pytest
from PIL import Image

from client_sdk import CollectionNotFound, InvalidArgument
from tests.support.waiting import wait_until


def test_collections_are_made_listed_and_removed(client, photographs):
    client.create_collection("hats")
    client.upload([photographs / "coins.jpg"], collection="hats").wait()
    (hats,) = [each for each in client.collections() if each.name == "hats"]
    info = client.info()
    assert (hats.count, hats.dimension, hats.descriptor, hats.fingerprint, hats.model) == (
        *(1, info.dimension, info.descriptor),
        *(info.fingerprint, info.model),
    )

    client.collection("hats").delete()

    with pytest.raises(CollectionNotFound):
        client.count(collection="hats")
    with pytest.raises(InvalidArgument):
        client.create_collection("no/such name")


def test_a_scratch_collection_goes_by_itself_with_its_uploads(client, backend, photographs):
    name = f"scratch-{uuid4().hex[:8]}"
    before = backend.stored()
    other = io.BytesIO()
    with Image.open(photographs / "coins.jpg") as photograph:
        photograph.rotate(90).save(other, "PNG")
    made = client.create_collection(name, ttl_seconds=4)  # until the upload, and again after it
    assert made.created_at + timedelta(seconds=4) == made.expires_at
    client.upload([other.getvalue()], collection=name).wait()
    uploaded = backend.stored() - before
    assert len(uploaded) == (backend.data is not None)

    wait_until(lambda: name not in {one.name for one in client.collections()}, pause=0.1)
    wait_until(lambda: not uploaded & backend.stored(), pause=0.1)

    with pytest.raises(CollectionNotFound):
        client.count(collection=name)
