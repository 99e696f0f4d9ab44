"""Jobs of manifests, with real files and a real worker."""

import io
import json

import pytest

from bento_service.errors import Forbidden, InvalidArgument
from bento_service.requests import TrainRequest
from tests.ingest.changes.parts import by_path, failures, paths
from tests.support.ingesting import colours, counted
from tests.support.pictures import png


def test_a_manifest_adds_deletes_and_reports_invalid_lines(ingest, run, write, follow):
    write({f"shop/{n}.png": png(colour) for n, colour in enumerate(colours(5))})
    run("shop/0.png")
    run("shop/1.png")
    first, second = ingest.images()
    job = follow(
        {"path": "2.png", "metadata": {"shop": "north"}},
        "{oops",
        {"path": str(ingest.pictures / "shop/3.png")},
        {"path": "none.png"},
        {"op": "delete", "id": first.id},
        {"op": "delete", "sha256": second.sha256},
        {"op": "delete", "path": "4.png"},
        {"path": "../outside.png"},
        name="shop/list.json",
        metadata={"from": "list"},
    )
    assert counted(job) == ("completed", 6, 6, 2, 0, 4)
    assert (job.removed, job.removals_open) == (2, 0)
    images = by_path(ingest)
    assert images["shop/2.png"].metadata == {"from": "list", "shop": "north"}
    assert images["shop/3.png"].metadata == {"from": "list"}
    assert sorted(images) == ["shop/2.png", "shop/3.png"]
    reported = failures(ingest, job)
    assert [(path, code) for path, code, _ in reported] == [
        ("shop/list.json:2", "invalid_argument"),
        ("shop/none.png", "path_not_found"),
        ("shop/4.png", "image_not_found"),
        ("shop/list.json:8", "forbidden"),
    ]
    assert reported[0][2].startswith("line 2: ")
    assert list(ingest.uploads.blobs.stored()) == []  # its copy was needed only while it was read


def test_an_added_line_replaces_the_metadata_of_an_existing_image(ingest, run, write, follow):
    write({"a.png": png("red"), "b.png": png("green")})
    run(metadata={"shop": "north", "price": 1})
    job = follow({"path": "a.png", "metadata": {"shop": "south"}}, {"path": "b.png"})
    assert counted(job) == ("completed", 2, 2, 0, 2, 0)
    images = by_path(ingest)
    assert images["a.png"].metadata == {"shop": "south"}
    assert images["b.png"].metadata == {"shop": "north", "price": 1}


def test_typed_paths_are_found_in_the_spelling_of_the_disk(ingest, run, write, follow):
    stored, typed = "Mu\u0308ller.png", "M\u00fcller.png"
    write({stored: png("red"), "b.png": png("green")})
    job = follow({"path": typed, "metadata": {"shop": "north"}})
    assert counted(job) == ("completed", 1, 1, 1, 0, 0)
    assert list(by_path(ingest)) == [stored]
    (ingest.pictures / stored).unlink()
    job = follow({"op": "delete", "path": typed})
    assert job.removed == 1
    assert by_path(ingest) == {}


def test_the_named_one_of_two_files_with_similar_names_is_deleted(ingest, run, write, follow):
    write({"Mu\u0308ller.png": png("red"), "M\u00fcller.png": png("green")})
    run()
    follow({"op": "delete", "path": "M\u00fcller.png"})
    assert list(by_path(ingest)) == ["Mu\u0308ller.png"]


def test_lines_take_effect_in_their_order(ingest, write, follow):
    write({"a.png": png("red"), "b.png": png("green"), "c.png": png("blue")})
    follow(
        {"path": "a.png", "metadata": {"turn": 1}},
        {"op": "delete", "path": "a.png"},
        {"path": "b.png"},
        {"path": "c.png", "metadata": {"turn": 1}},
        {"path": "c.png", "metadata": {"turn": 2}},
        {"op": "delete", "path": "b.png"},
        {"path": "b.png", "metadata": {"turn": 3}},
    )
    metadata = {path: image.metadata for path, image in by_path(ingest).items()}
    assert metadata == {"b.png": {"turn": 3}, "c.png": {"turn": 2}}


def test_a_manifest_resumes_after_a_restart_with_the_same_lines(ingest, write):
    write({f"{n}.png": png(colour) for n, colour in enumerate(colours(4))})
    lines = [{"path": "0.png"}, {"oops": 1}, {"op": "delete", "path": "1.png"}, {"path": "3.png"}]
    ingest.write({"l.json": "\n".join(map(json.dumps, lines)).encode()})
    jobs = ingest.manifest_jobs()
    job = jobs.start(TrainRequest(manifest="l.json", collection="cats"))
    (ingest.pictures / "l.json").write_text('{"path": "2.png"}')  # read no more
    some = list(ingest.lists().of(ingest.job(job)))[:3]
    ingest.catalogue.jobs.add_files(job.number, some)  # as a crash in the middle leaves it
    ingest.work()
    assert counted(ingest.job(job)) == ("completed", 4, 4, 2, 0, 2)
    assert paths(ingest) == ["0.png", "3.png"]


def test_a_dry_run_of_a_manifest_changes_nothing(ingest, run, write, follow):
    write({"a.png": png("red"), "b.png": png("green")})
    run("a.png", metadata={"shop": "north"})
    before = ingest.images()
    lines = [
        {"path": "a.png", "metadata": {"shop": "south"}},
        {"path": "b.png"},
        {"op": "delete", "path": "a.png"},
        {"op": "delete", "id": 99},
    ]
    job = follow(*lines, dry_run=True)
    assert counted(job) == ("completed", 3, 3, 1, 1, 1)
    assert (job.removed, ingest.images()) == (1, before)


def test_csv_is_a_manifest_too(ingest, write, follow):
    write({"a.png": png("red")})
    job = follow("path,shop,price", "a.png,north,2.5", "b.png,x", name="list.csv")
    assert (job.indexed, job.failed) == (1, 1)
    assert ingest.images()[0].metadata == {"shop": "north", "price": 2.5}


def test_paths_of_a_manifest_can_be_relative_to_another_folder(ingest, write, follow):
    write({"shop/a.png": png("red")})
    assert follow({"path": "a.png"}, name="lists/l.json", path="shop").indexed == 1


def test_paths_of_a_sent_manifest_are_relative_to_the_root(ingest, write):
    write({"shop/a.png": png("red")})
    jobs = ingest.manifest_jobs()
    stream = io.BytesIO(b'{"path": "shop/a.png"}')
    job = jobs.start_sent(TrainRequest(collection="cats"), stream, "sent.json")
    ingest.work()
    assert ingest.job(job).indexed == 1


def test_a_folder_is_no_manifest(ingest, write):
    write({"shop/a.png": png("red")})
    with pytest.raises(Forbidden, match="is a folder; name a file"):
        ingest.manifest_jobs().start(TrainRequest(manifest="shop", collection="cats"))


def test_an_invalid_manifest_is_refused_at_once(ingest, follow):
    with pytest.raises(InvalidArgument, match="header"):
        follow("Dear all,")
    with pytest.raises(InvalidArgument, match="prune"):
        follow({"path": "a.png"}, prune=True)
    assert ingest.catalogue.jobs.open() == []
