"""Whole runs in one process, from a folder of pictures to searches."""

import contextlib
import json
import os

import pyarrow.parquet as pq
import pytest

from bento_service.admin.__main__ import main as admin
from bento_service.bulk import steps
from bento_service.bulk.__main__ import main
from bento_service.bulk.steps import InProcess
from bento_service.catalogue import Catalogue
from tests.support.object_storage import BUCKET

PICTURES = 9


@pytest.fixture
def bulk(pictures, tmp_path, model_folder, monkeypatch, capsys):
    """Run the command; return its exit code, output and errors."""
    monkeypatch.setenv("LOOKALIKE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LOOKALIKE_ENGINE", "onnxruntime")

    def run(*options, images=pictures, out=tmp_path / "out"):
        words = [images, out, "--model", model_folder, "--in-process", *options]
        code = main([*map(str, words)])
        return code, *capsys.readouterr()

    return run


def rows_of(out):
    manifest = json.loads((out / "manifest.json").read_bytes())
    tables = [pq.read_table(out / shard["file"]) for shard in manifest["shards"]]
    assert [table.num_rows for table in tables] == [each["rows"] for each in manifest["shards"]]
    return [row for table in tables for row in table.to_pylist()]


def test_every_picture_is_in_one_row_with_all_its_files(bulk, tmp_path):
    code, out, _ = bulk("--images-a-shard", 4, "--json")

    assert code == 1
    assert json.loads(out) == {"images": PICTURES, "shards": 3, "broken": 1}
    rows = rows_of(tmp_path / "out")
    assert len({row["sha256"] for row in rows}) == len(rows) == PICTURES
    paths = sorted(source["path"].decode() for row in rows for source in row["sources"])
    plain = [*(f"{n}.png" for n in range(6)), *(f"below/{n}.jpg" for n in range(6, 9))]
    assert paths == sorted([*plain, "below/ünder/copy.png", "copy.png"])


def test_relative_paths_are_those_of_the_caller(
    bulk, tmp_path, pictures, model_folder, monkeypatch
):
    do = InProcess.run

    def do_elsewhere(self, step, numbers, *, describes):
        with contextlib.chdir("/"):
            done = [*do(self, step, numbers, describes=describes)]
        return iter(done)

    monkeypatch.setattr(InProcess, "run", do_elsewhere)
    monkeypatch.chdir(tmp_path)
    relative = {"images": os.path.relpath(pictures), "out": "out"}

    assert bulk("--model", os.path.relpath(model_folder), **relative)[0] == 1

    assert len(rows_of(tmp_path / "out")) == PICTURES


def test_broken_files_are_reported(bulk, tmp_path):
    bulk()
    lines = (tmp_path / "out" / "broken.jsonl").read_text().splitlines()
    (broken,) = map(json.loads, lines)
    assert broken["path"] == "text.png"
    assert broken["code"] == "unsupported_media_type"
    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes())["broken"] == 1


def test_leftovers_of_a_lost_process_are_replaced_or_removed(bulk, tmp_path, monkeypatch):
    describe, out = steps.DescribeStep.__call__, tmp_path / "out"

    def repeated(self, number):
        (out / "plan" / "undescribed-000000.jsonl").write_text('{"path": "0.png"}\n')
        (out / ".shard-000000.parquet.lost.1").write_text("half")
        return describe(self, number)

    monkeypatch.setattr(steps.DescribeStep, "__call__", repeated)

    assert bulk("--ignore", "text.*")[0] == 0
    assert (out / "broken.jsonl").read_text() == ""
    assert [*out.rglob(".*")] == []


def test_files_that_cannot_be_read_alone_give_no_shards(bulk, tmp_path):
    (tmp_path / "links").mkdir()
    large = tmp_path / "links" / "large.png"
    with large.open("wb") as file:
        file.truncate(65 * 2**20)
    code, out, _ = bulk("--json", images=tmp_path / "links")
    assert (code, json.loads(out)) == (1, {"images": 0, "shards": 0, "broken": 1})


def test_an_interrupted_run_continues_where_it_was(bulk, tmp_path, monkeypatch):
    describe, done = steps.DescribeStep.__call__, []

    def failing(self, number):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(number)
        return describe(self, number)

    with monkeypatch.context() as patched:
        patched.setattr(steps.DescribeStep, "__call__", failing)
        code, _, err = bulk("--images-a-shard", 4)
    assert (code, "start it again" in err) == (2, True)
    first = tmp_path / "out" / "shard-000000.parquet"
    before = first.stat().st_mtime_ns

    assert bulk("--images-a-shard", 4)[0] == 1

    assert first.stat().st_mtime_ns == before
    assert len(rows_of(tmp_path / "out")) == PICTURES


def test_a_complete_run_and_other_arguments_are_refused(bulk, tmp_path):
    bulk()
    assert "is complete" in bulk()[2]
    (tmp_path / "out" / "manifest.json").unlink()
    code, _, err = bulk("--root", "other")
    assert (code, "another root" in err) == (2, True)


def test_a_folder_with_something_else_is_left_alone(bulk, tmp_path, pictures):
    code, _, err = bulk(out=pictures)
    assert (code, "holds something else" in err) == (2, True)
    assert not (pictures / "plan").exists()


def test_an_empty_folder_gives_no_shards(bulk, tmp_path):
    (tmp_path / "empty").mkdir()
    assert json.loads(bulk("--json", images=tmp_path / "empty")[1])["images"] == 0


def test_ignored_files_are_not_described(bulk, tmp_path):
    code, out, _ = bulk("--ignore", "below/", "--ignore", "text.*", "--json")
    assert (code, json.loads(out)["images"]) == (0, 6)


def test_the_shards_are_imported_and_found(bulk, tmp_path, pictures, monkeypatch):
    bulk("--images-a-shard", 4)
    monkeypatch.setenv("LOOKALIKE_IMAGE_ROOTS", f"photos={pictures}")

    assert admin(["import", str(tmp_path / "out"), "--collection", "bulk"]) == 0

    with Catalogue.open(f"sqlite:///{tmp_path}/data/catalogue.db") as catalogue:
        collection = catalogue.collections.named("bulk")
        images = catalogue.images.page(collection.id, limit=100)
        assert len(images) == PICTURES
        assert sum(len(image.sources) for image in images) == PICTURES + 2
        assert catalogue.hashes.missing(after=0, limit=10) == []


def test_pictures_in_object_storage_are_described_and_imported(
    bulk, tmp_path, pictures, monkeypatch, at_s3, capsys
):
    for path in pictures.rglob("*.*"):
        at_s3.put(f"photos/{path.relative_to(pictures)}", path.read_bytes())
    address = f"s3://{BUCKET}/photos"
    code, out, _ = bulk("--ignore", "text.*", images=address)
    assert (code, f"LOOKALIKE_IMAGE_ROOTS=photos={address}" in out) == (0, True)
    (rows, folder_rows) = (rows_of(tmp_path / "out"), tmp_path / "folder")
    bulk("--ignore", "text.*", out=folder_rows)
    names = ("sha256", "sources", "descriptor")
    plain = [{name: row[name] for name in names} for row in rows_of(folder_rows)]
    assert [{name: row[name] for name in names} for row in rows] == plain

    monkeypatch.setenv("LOOKALIKE_IMAGE_ROOTS", f"photos={address}")
    for options in ("--by-size", "--dry-run"):
        words = ["import", str(tmp_path / "out"), "--collection", "bulk", options]
        assert admin(words) == 0
    assert admin(["verify"]) == 0
    at_s3.stop()
    try:
        capsys.readouterr()
        assert admin(["roots", "--json"]) == 1
        (root,) = json.loads(capsys.readouterr().out)["roots"]
        assert root == {"name": "photos", "path": address, "available": False}
    finally:
        at_s3.start()


def test_without_ray_the_message_names_the_extra(bulk, pictures, tmp_path, model_folder, capsys):
    from importlib.util import find_spec

    if find_spec("ray"):
        pytest.skip("Ray is installed")
    code = main([str(pictures), str(tmp_path / "out"), "--model", str(model_folder)])
    assert code == 2
    assert "lookalike-service[bulk]" in capsys.readouterr().err
