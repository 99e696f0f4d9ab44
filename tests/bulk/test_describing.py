"""The plain iterator over batches, with the real model and real decoders."""

import hashlib
import json
import os

import numpy as np
import pytest

from bento_service.bulk import BulkDescriber, Candidate, describe_batches
from bento_service.bulk.engine import EngineChoice
from bento_service.errors import NotReady
from client_sdk import Client


@pytest.fixture
def describer(root, model_folder, settings):
    with BulkDescriber(root, EngineChoice(model_folder), settings) as describer:
        yield describer


def rows_of(batches):
    return [row for batch in batches for row in batch.images.to_pylist()]


def test_every_file_is_described_or_reported(root, pictures, model_folder, settings):
    paths = ["0.png", str(pictures / "below" / "7.jpg"), "text.png", "missing.png"]

    batches = list(describe_batches(paths, root=root, model=model_folder, settings=settings))

    first, second = rows_of(batches)
    assert first["sha256"] == hashlib.sha256((pictures / "0.png").read_bytes()).hexdigest()
    assert (first["format"], first["width"], first["height"]) == ("PNG", 140, 100)
    assert first["bytes"] == (pictures / "0.png").stat().st_size
    assert first["sources"] == [{"kind": "file", "root": "photos", "path": b"0.png"}]
    assert second["sources"][0]["path"] == b"below/7.jpg"
    assert abs(np.linalg.norm(first["descriptor"]) - 1) < 1e-5
    assert (len(first["hashes"]), len(first["miniature"])) == (64, 4096)
    broken = {each.path: each.code for batch in batches for each in batch.broken}
    assert broken == {"text.png": "unsupported_media_type", "missing.png": "path_not_found"}


def test_batches_have_the_given_size_and_keep_the_order(describer):
    candidates = [Candidate((f"{number}.png",)) for number in range(5)]

    batches = list(describer.batches(candidates, size=2))

    assert [batch.images.num_rows for batch in batches] == [2, 2, 1]
    paths = [row["sources"][0]["path"] for row in rows_of(batches)]
    assert paths == [b"0.png", b"1.png", b"2.png", b"3.png", b"4.png"]


def test_a_descriptor_does_not_depend_on_its_batch(describer):
    candidates = [Candidate((f"{number}.png",)) for number in range(5)]

    together = rows_of(describer.batches(candidates, size=5))
    alone = rows_of(describer.batches(candidates, size=1))

    assert [row["descriptor"] for row in together] == [row["descriptor"] for row in alone]


def test_descriptors_are_those_of_the_service(describer, pictures, model_folder):
    paths = [*(f"{number}.png" for number in range(6)), "below/7.jpg"]
    described = rows_of(describer.batches([Candidate((path,)) for path in paths]))

    precision = describer.space.precision
    options = {"roots": [pictures], "precision": precision, "threads": 1}
    with Client.local(model=model_folder, **options) as client:
        client.train(".").wait()
        served = {image.sha256: image.descriptor().vector for image in client.images()}

    for row in described:
        assert np.array_equal(np.float32(row["descriptor"]), np.float32(served[row["sha256"]]))


def test_the_next_file_is_read_if_the_first_is_gone_or_changed(describer, pictures):
    copy = (pictures / "copy.png").read_bytes()
    digest = hashlib.sha256(copy).hexdigest()
    paths = ("missing.png", "3.png", "2.png", "copy.png")

    (batch,) = describer.batches([Candidate(paths, digest)])

    (row,) = batch.images.to_pylist()
    assert row["sha256"] == digest
    assert [source["path"] for source in row["sources"]] == [b"2.png", b"copy.png"]
    assert [(each.path, each.code) for each in batch.broken] == [
        ("missing.png", "path_not_found"),
        ("3.png", "conflict"),
    ]


def test_every_copy_of_a_broken_picture_is_reported(describer, pictures):
    (pictures / "again.png").write_text("no picture")

    (batch,) = describer.batches([Candidate(("again.png", "text.png"))])

    assert batch.images.num_rows == 0
    assert [each.path for each in batch.broken] == ["again.png", "text.png"]


def test_files_outside_of_the_root_and_links_are_not_read(describer, pictures, tmp_path):
    (tmp_path / "secret.png").write_bytes((pictures / "0.png").read_bytes())
    (pictures / "link.png").symlink_to(tmp_path / "secret.png")

    (batch,) = describer.batches([Candidate(("link.png",)), Candidate(("../secret.png",))])

    assert batch.images.num_rows == 0
    assert len(batch.broken) == 2


def test_a_file_above_the_limit_is_reported(root, model_folder, settings, pictures):
    limited = settings.model_copy(update={"max_upload_bytes": 50})
    (batch,) = describe_batches(["0.png"], root=root, model=model_folder, settings=limited)
    assert batch.broken[0].code == "too_large"


def test_names_that_are_not_valid_text_are_kept(describer, pictures):
    name = os.fsdecode(b"odd-\xff.png")
    (pictures / name).write_bytes((pictures / "0.png").read_bytes())

    (row,) = rows_of(describer.batches([Candidate((name,))]))

    assert row["sources"][0]["path"] == b"odd-\xff.png"


def test_another_space_than_that_of_the_run_is_refused(root, model_folder, settings, describer):
    import dataclasses

    other = dataclasses.replace(describer.space, fingerprint="e" * 64)
    with pytest.raises(NotReady, match="eeeeeeeeeeee"):
        BulkDescriber(root, EngineChoice(model_folder, other), settings)


def test_a_folder_without_a_model_is_refused(root, tmp_path, settings):
    with pytest.raises(NotReady, match="--export"):
        BulkDescriber(root, EngineChoice(tmp_path), settings)


def test_the_format_names_no_catalogue(describer):
    (batch,) = describer.batches([Candidate(("0.png",))])
    description = json.loads(batch.images.schema.metadata[b"lookalike"])
    assert description["catalogue"] == ""
    assert description["space"]["fingerprint"] == describer.space.fingerprint
