"""Uploads of folders by either client to the fake service."""

import asyncio
import io
import os
import threading

import httpx
import pytest
from PIL import Image

from client_sdk import (
    AsyncClient,
    Client,
    JobFailed,
    Retries,
    UploadReport,
    UploadStopped,
    UsageError,
)
from client_sdk._folder.report import Tally, describe
from client_sdk.schemas import Job
from tests.support.fake_service import FakeService


def picture(number):
    encoded = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number // 256, 99)).save(encoded, "PNG")
    return encoded.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Ten pictures, a copy of one, a broken one, and what is no picture by its name."""
    (tmp_path / "deep").mkdir()
    for number in range(10):
        place = tmp_path / "deep" if number % 2 else tmp_path
        (place / f"{number}.PNG").write_bytes(picture(number))
    (tmp_path / "copy.png").write_bytes(picture(3))
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    (tmp_path / "notes.txt").write_text("notes")
    return tmp_path


@pytest.fixture(params=["Client", "AsyncClient"])
def send(request):
    """Sends a folder by either client: `send(transport, folder, **options)`."""

    def synchronous(transport, folder, retries=0, **options):
        with Client(transport=transport, retries=retries) as client:
            return client.upload_folder(folder, **options)

    async def asynchronous(transport, folder, retries=0, **options):
        async with AsyncClient(transport=transport, retries=retries) as client:
            return await client.upload_folder(folder, **options)

    if request.param == "Client":
        return synchronous
    return lambda *given, **options: asyncio.run(asynchronous(*given, **options))


def uploads(fake):
    return [one for one in fake.requests if one.url.path == "/api/v2/train"]


def stored(fake):
    return sorted(held.image.source for held in fake.gallery.shelves["default"].held.values())


def test_a_folder_is_sent_once_and_every_file_is_reported(send, folder):
    fake = FakeService()
    first = send(fake.transport, folder, batch_files=4, metadata={"by": "me"})
    assert (first.found, first.known, first.sent, first.indexed) == (12, 1, 11, 10)
    assert [(one.source, one.code) for one in first.failed] == [
        ("broken.jpg", "unsupported_media_type")
    ]
    assert len(first.jobs) == len(uploads(fake)) == 3
    assert "deep/5.PNG" in stored(fake)
    assert len(stored(fake)) == 10
    again = send(fake.transport, folder)
    assert (again.known, again.sent, again.indexed) == (11, 1, 0)
    assert len(stored(fake)) == 10


def test_patterns_select_and_ignore_files(send, folder):
    fake = FakeService()
    report = send(fake.transport, folder, pattern=["*.png"], ignore=["[2-9].*", "copy.*"])
    assert stored(fake) == ["0.PNG", "deep/1.PNG"]
    assert report.found == 2
    fake = FakeService()
    send(fake.transport, folder, recursive=False, pattern="*", ignore="broken.*")
    assert {path for path in stored(fake) if "/" in path} == set()


def test_requests_are_bounded_in_files_and_bytes(send, folder):
    fake = FakeService()
    size = len(picture(0))
    send(fake.transport, folder, batch_bytes=3 * size + 20)
    assert len(uploads(fake)) >= 4
    assert max(len(one.content) for one in uploads(fake)) < 3 * size + 2000


def test_concurrency_limits_the_parallel_requests(send, folder):
    fake, lock, now, most = FakeService(), threading.Lock(), 0, 0

    class Counting(httpx.BaseTransport, httpx.AsyncBaseTransport):
        def handle_request(self, request):
            nonlocal now, most
            with lock:
                now += request.url.path == "/api/v2/train"
                most = max(most, now)
            request.read()
            threading.Event().wait(0.02)
            answer = fake(request)
            with lock:
                now -= request.url.path == "/api/v2/train"
            return answer

        async def handle_async_request(self, request):
            await request.aread()
            return await asyncio.to_thread(self.handle_request, request)

    send(Counting(), folder, batch_files=1, concurrency=3)
    assert most == 3


def test_skip_known_false_sends_every_file(send, folder):
    fake = FakeService()
    send(fake.transport, folder)
    again = send(fake.transport, folder, skip_known=False)
    assert (again.sent, again.duplicates, again.indexed, again.known) == (12, 11, 0, 0)


def test_wait_false_returns_before_the_jobs_end(send, folder):
    fake = FakeService()
    report = send(fake.transport, folder, wait=False)
    assert (report.sent, report.indexed) == (11, 0)
    assert {one.url.path for one in fake.requests} == {
        "/api/v2/info",
        "/api/v2/known",
        "/api/v2/train",
    }


def test_a_rejected_file_is_isolated_and_the_others_are_sent(send, folder):
    fake = FakeService()

    def picky(request):
        if request.url.path == "/api/v2/train" and b"broken" in request.content:
            return httpx.Response(413)
        return fake(request)

    report = send(httpx.MockTransport(picky), folder)
    (failed,) = report.failed
    assert (failed.source, failed.code) == ("broken.jpg", "http_413")
    assert (report.sent, report.indexed) == (10, 10)


def test_files_over_the_upload_limit_are_not_sent(send, folder):
    (folder / "huge.png").touch()
    os.truncate(folder / "huge.png", 65 * 2**20)
    report = send(FakeService().transport, folder, skip_known=False)
    assert [(one.source, one.code) for one in report.failed if one.source != "broken.jpg"] == [
        ("huge.png", "too_large")
    ]
    assert report.found == report.sent + 1


def test_a_file_deleted_during_the_upload_is_reported(send, folder):
    fake = FakeService()

    def late(request):
        if request.url.path == "/api/v2/known":
            (folder / "4.PNG").unlink()
        return fake(request)

    report = send(httpx.MockTransport(late), folder)
    assert ("4.PNG", "unreadable") in [(one.source, one.code) for one in report.failed]
    assert report.indexed == 9


def test_lost_requests_and_answers_lose_or_repeat_no_file(send, folder):
    fake, number = FakeService(), 0

    def faulty(request):
        nonlocal number
        number += 1
        if number % 3 == 0:
            raise httpx.ConnectError("refused")
        answer = fake(request)
        if number % 3 == 1:
            raise httpx.ReadError("the answer is lost")
        return answer

    patient = Retries(attempts=50, first_pause=0.0, longest_pause=0.0)
    report = send(httpx.MockTransport(faulty), folder, retries=patient, batch_files=2)
    assert (report.indexed, report.duplicates) == (10, 0)
    assert len(fake.gallery.works) == 6
    assert len({one.headers["idempotency-key"] for one in uploads(fake)}) == 6


def test_a_stopped_upload_reports_its_progress_and_can_be_resumed(send, folder):
    fake, left = FakeService(), 2

    def ending(request):
        nonlocal left
        if request.url.path == "/api/v2/train":
            left -= 1
            if left < 0:
                return httpx.Response(507)
        return fake(request)

    with pytest.raises(UploadStopped, match=r"after sending 4 of.*repeat the call") as caught:
        send(httpx.MockTransport(ending), folder, batch_files=2, concurrency=1)
    assert caught.value.report.sent == 4
    assert caught.value.__cause__.status == 507
    rest = send(fake.transport, folder)
    assert rest.known + rest.sent == 12
    assert len(stored(fake)) == 10


def test_a_failed_job_reports_the_files_that_are_missing(send, folder):
    fake = FakeService()

    def failing(request):
        answer = fake(request)
        if request.url.path == "/api/v2/process":
            job = Job.model_validate_json(answer.content)
            fake.gallery.shelves["default"].held.popitem()
            ended = job.model_copy(update={"detail": "the disk is full"}).model_dump(mode="json")
            return httpx.Response(200, json={**ended, "state": "failed", "indexed": 9})
        return answer

    report = send(httpx.MockTransport(failing), folder)
    codes = {one.source: one.code for one in report.failed}
    assert codes == {"broken.jpg": "unsupported_media_type", "deep/9.PNG": "job_failed"}
    assert report.indexed == 9


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"batch_files": 0}, {"batch_bytes": -1}])
def test_options_out_of_range_are_rejected(options, send, folder):
    with pytest.raises(UsageError, match="give 1 or more"):
        send(FakeService().transport, folder, **options)


def test_a_path_that_is_not_a_folder_is_rejected(send, folder):
    fake = FakeService()
    with pytest.raises(UsageError, match="is not a folder"):
        send(fake.transport, folder / "0.PNG")
    with pytest.raises(UsageError, match="'colection'; did you mean collection"):
        send(fake.transport, folder, colection="hats")
    assert fake.requests == []


def test_progress_is_shown_on_stderr(send, folder, capsys):
    send(FakeService().transport, folder, progress=True)
    assert "found, " in capsys.readouterr().err


def test_an_empty_folder_gives_an_empty_report(send, tmp_path):
    assert send(FakeService().transport, tmp_path) == UploadReport()


def test_a_failed_job_names_the_files_that_are_not_indexed(job):
    tally = Tally()
    tally.broken(JobFailed(job(state="failed")), ["a"])
    assert [one.source for one in tally.report.failed] == ["a"]
    assert describe(tally.report) == "0 found, 0 known, 0 sent, 3 done, 1 failed"


def test_clutter_and_links_that_lead_outside_are_skipped_and_reported(tmp_path, send):
    folder, outside = tmp_path / "shelf", tmp_path / "outside"
    (folder / "@eaDir").mkdir(parents=True)
    outside.mkdir()
    (folder / "a.jpg").write_bytes(b"a")
    (folder / "._a.jpg").write_bytes(b"b")
    (folder / "@eaDir" / "a.jpg").write_bytes(b"c")
    (outside / "o.jpg").write_bytes(b"o")
    (folder / "inside.jpg").symlink_to("a.jpg")
    (folder / "leads-out.jpg").symlink_to(outside / "o.jpg")
    (folder / "folder").symlink_to(outside)
    report = send(FakeService().transport, folder)
    assert (report.found, report.known, report.sent) == (2, 1, 1)
    assert {one.source: one.code for one in report.left_out} == {
        "._a.jpg": "clutter",
        "@eaDir": "clutter",
        "leads-out.jpg": "link_outside",
        "folder": "link_to_folder",
    }
