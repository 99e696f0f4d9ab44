"""The outcome of each file of a job, with real files and real decoding."""

import asyncio
import io
import logging
import os
import struct
import time
from pathlib import Path

import numpy as np
from PIL import Image

from bento_service.catalogue.jobs.records import SkippedRecord
from bento_service.errors import NotReady, Overloaded
from bento_service.storage.originals import Originals
from client_sdk.schemas import JobState
from tests.support.ingesting import ColourEmbedder, colours, counted
from tests.support.local_decoder import LocalDecoder
from tests.support.pictures import png
from tests.support.waiting import wait_until_async

# Outcomes


def test_every_file_of_a_folder_ends_as_what_it_is(ingest):
    red = png("red")
    tiff = bytearray(Image.new("RGB", (9, 9)).tobytes())
    ingest.write(
        {
            "a/good.png": red,
            "a/good.JPG": png("green"),
            "b/same bytes.png": red,
            "b/letter.txt": b"a letter",
            "b/torn.png": png("blue")[:40],
            "b/empty.jpg": b"",
            ".hidden/too large.png": png("white", (1000, 101)),
            "not a picture.bmp": bytes(tiff),
        }
    )
    job = ingest.train(metadata={"album": "one"})
    ingest.work()
    assert counted(ingest.job(job)) == ("completed", 8, 8, 2, 1, 5)
    failures = ingest.catalogue.jobs.failures(job.number, after=0, limit=100)
    assert {failure.path: failure.code for failure in failures} == {
        "b/letter.txt": "unsupported_media_type",
        "b/torn.png": "image_unreadable",
        "b/empty.jpg": "unsupported_media_type",
        ".hidden/too large.png": "too_large",
        "not a picture.bmp": "unsupported_media_type",
    }
    found = {image.sources[0].path: image for image in ingest.images()}
    assert sorted(found) == ["a/good.JPG", "a/good.png"]
    assert [source.path for source in found["a/good.png"].sources] == [
        "a/good.png",
        "b/same bytes.png",
    ]
    assert found["a/good.JPG"].format == "PNG"
    assert {image.metadata["album"] for image in found.values()} == {"one"}


def test_a_decoder_that_is_not_there_is_waited_for_and_fails_no_picture(ingest):
    refusals = [NotReady("no decoder starts"), Overloaded("all are busy")] * 2

    class Absent(LocalDecoder):
        def decode(self, *arguments, **options):
            if refusals:
                raise refusals.pop()
            return super().decode(*arguments, **options)

    ingest.decoder = Absent(10**5)
    ingest.write_colours(5)
    job = ingest.train()
    ingest.work()
    assert counted(ingest.job(job)) == ("completed", 5, 5, 5, 0, 0)
    assert refusals == []


def test_every_picture_gets_its_own_descriptor(ingest):
    ingest.write_colours(30)
    ingest.train()
    ingest.work()
    for image in ingest.images():
        number = int(Path(image.sources[0].path).stem)
        expected = np.array([*colours(30)[number], 0]) + 1.0
        stored = ingest.catalogue.images.descriptor(image.id, ingest.cats.index.id)
        assert np.allclose(stored, expected / np.linalg.norm(expected), atol=1e-6)


def test_uploads_are_indexed_each_once(ingest):
    job = ingest.upload(png("red"), b"bad", png("green"), png("red"))
    ingest.work()
    assert counted(ingest.job(job)) == ("completed", 4, 4, 2, 1, 1)


def test_known_pictures_are_not_described_again(ingest):
    ingest.write_colours(20)
    ingest.train()
    ingest.work()
    describe = ColourEmbedder()
    job = ingest.train()
    ingest.work(describe)
    assert counted(ingest.job(job)) == ("completed", 20, 20, 0, 20, 0)
    assert describe.calls == 0


def test_one_file_alone_can_be_indexed(ingest):
    ingest.write({"a/one.png": png("red"), "a/two.png": png("green")})
    job = ingest.train("a/two.png")
    ingest.work()
    assert counted(ingest.job(job)) == ("completed", 1, 1, 1, 0, 0)
    assert [image.sources[0].path for image in ingest.images()] == ["a/two.png"]


def test_a_walk_follows_its_options(ingest):
    ingest.write(
        {
            name: png(one)
            for name, one in zip(("1.png", "2.gif", "a/3.png"), colours(3), strict=True)
        }
    )
    flat, picky = ingest.train(recursive=False), ingest.train(ignore=("*.gif", "a/*"))
    ingest.work()
    assert (ingest.job(flat).total, ingest.job(picky).total) == (2, 1)


def test_an_empty_folder_is_completed(ingest):
    job = ingest.train()
    ingest.work()
    assert counted(ingest.job(job)) == ("completed", 0, 0, 0, 0, 0)


def test_names_that_are_not_text_are_indexed(ingest):
    name = os.fsdecode(b"caf\xe9\n\xff.png")
    ingest.write({name: png("red")})
    ingest.train()
    ingest.work()
    assert [image.sources[0].path for image in ingest.images()] == [name]


def test_a_file_that_makes_pillow_stumble_does_not_end_ingest(ingest):
    stumbling = io.BytesIO()
    Image.new("RGB", (9, 9)).save(stumbling, "TIFF")
    data = bytearray(stumbling.getvalue())
    at = data.index(struct.pack("<HH", 273, 4))
    data[at + 2 : at + 4] = struct.pack("<H", 2)  # the strips begin at a text: TypeError
    ingest.write({"a.tif": bytes(data), "b.png": png("red")})
    job = ingest.train()
    ingest.work()
    assert counted(ingest.job(job)) == ("completed", 2, 2, 1, 0, 1)


def test_two_jobs_with_the_same_files_make_each_image_once(ingest):
    ingest.write_colours(25)
    jobs = [ingest.train(), ingest.train()]
    ingest.work()
    done = [ingest.job(job) for job in jobs]
    assert {job.state for job in done} == {JobState.COMPLETED}
    assert sum(job.indexed for job in done) == 25
    assert sum(job.duplicates for job in done) == 25
    assert len(ingest.images()) == 25


def test_a_job_that_comes_while_nothing_is_to_do_is_begun(ingest):
    async def run():
        async with ingest.worker(ColourEmbedder()) as worker:
            await asyncio.sleep(0.1)
            job = ingest.upload(png("red"))
            worker.wake()
            await wait_until_async(lambda: ingest.commits == 1)
            assert ingest.job(job).state is JobState.COMPLETED

    asyncio.run(run())


def test_speed_is_known_while_a_job_runs(ingest):
    ingest.write_colours(60)
    job = ingest.train()
    describe = ColourEmbedder()
    describe.pause = 0.05
    speeds = []

    async def run():
        async with ingest.worker(describe, batch=1) as worker:

            def has_ended():
                speeds.append(worker.rates.per_second(job.number, time.monotonic()))
                return not ingest.catalogue.jobs.open()

            await wait_until_async(has_ended)

    asyncio.run(run())
    known = [speed for speed in speeds if speed is not None]
    assert known
    assert 0 < max(known) < 400  # 40 pictures a second; a busy machine reads its clock late


# Skipped files


def test_a_job_says_what_it_skipped_and_the_log_too(ingest, caplog):
    caplog.set_level(logging.INFO, "bento_service.ingest")
    ingest.write({"a/one.png": png("red"), "a/._one.png": b"x", "a/Thumbs.db": b"x"})
    (ingest.pictures / "a" / "link.png").symlink_to("one.png")
    job = ingest.train()
    ingest.work()
    done = ingest.job(job)
    assert (done.total, done.indexed, done.failed) == (1, 1, 0)
    assert done.skipped == (
        SkippedRecord("clutter", 2, "a/._one.png"),
        SkippedRecord("link", 1, "a/link.png"),
    )
    assert f"job {job.id} skipped 2 (clutter): a/._one.png" in caplog.text


def test_links_under_the_root_are_indexed_by_their_own_names_and_read_again(ingest):
    ingest.write({"annex/abc.png": png("red"), "annex/def.png": png("blue")})
    (ingest.pictures / "2024").mkdir()
    for name, key in (("a.png", "abc"), ("b.png", "def")):
        (ingest.pictures / "2024" / name).symlink_to(f"../annex/{key}.png")
    job = ingest.train("2024", follow_links=True)
    ingest.work()
    assert (ingest.job(job).indexed, ingest.job(job).skipped) == (2, ())
    images = ingest.images()
    assert {image.sources[0].path for image in images} == {"2024/a.png", "2024/b.png"}
    for image in images:
        assert Originals(ingest.roots, ingest.uploads.blobs).read(image).startswith(b"\x89PNG")
    again = ingest.train("2024", follow_links=True, prune=True)
    ingest.work()
    assert (ingest.job(again).duplicates, ingest.job(again).removed) == (2, 0)
    pruned = ingest.train(".", prune=True)
    ingest.work()
    assert (ingest.job(pruned).removed, len(ingest.images())) == (0, 2)


def test_a_retry_counts_what_it_skips_by_itself(ingest):
    ingest.write({"bad.png": b"no picture", ".DS_Store": b"x"})
    job = ingest.train()
    ingest.work()
    assert ingest.job(job).skipped
    retry = ingest.catalogue.jobs.get(ingest.catalogue.job_control.retry(ingest.job(job)))
    assert retry.skipped == ()


def test_a_folder_in_another_normal_form_is_trained_under_its_own_name(ingest):
    decomposed = "Mu\u0308ller"
    ingest.write({f"{decomposed}/a.png": png("red")})
    for typed in ("M\u00fcller", decomposed):
        job = ingest.train(typed)
        ingest.work()
        assert (ingest.job(job).path, ingest.job(job).total) == (decomposed, 1)
    (image,) = ingest.images()
    assert [source.path for source in image.sources] == [f"{decomposed}/a.png"]
