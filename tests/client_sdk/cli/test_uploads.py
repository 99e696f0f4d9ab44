"""`lookalike train --upload`: what is sent, the counts and the exit code."""

import hashlib
import re

import httpx
import pytest

from tests.support.answers import JOB_ERROR


@pytest.fixture
def folder(tmp_path):
    """Return two pictures, one of them in a folder below, and two files that are none."""
    (tmp_path / "below").mkdir()
    for name in ("a.jpg", "below/b.PNG", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def uploads(job, event_stream):
    """Answers of a service that holds nothing yet; the job has an end."""

    def uploads(**end):
        limits = dict.fromkeys(("max_upload_bytes", "max_request_bytes", "max_pixels"), 10**9)
        limits |= {"max_jpeg_pixels": 10**9, "max_top_k": 1000, "formats": ["JPEG"]}
        info = {"version": "0.1.0", "model": "m", "fingerprint": "f", "descriptor": "d"}
        info |= {"dimension": 4, "engine": "e", "precision": "int8", "index_type": "FLAT"}
        ended = job(**end)
        return {
            "info": {**info, "image_roots": [], "limits": limits},
            "known": {"collection": "hats", "known": []},
            "train": job(state="pending"),
            "process": ended,
            "jobs/j1/events": event_stream([ended]),
            "jobs/j1/errors": {"errors": [JOB_ERROR] * ended["failed"], "next_cursor": None},
        }

    return uploads


def names_in(ran):
    sent = [one for one in ran.requests if one.url.path.endswith("/train")]
    return re.findall(rb'filename="([^"]*)"', b"".join(one.content for one in sent))


def test_upload_sends_the_pictures_of_a_folder(lookalike, uploads, folder):
    answers = uploads(indexed=2, duplicates=0, failed=0)
    ran = lookalike("train", str(folder), "--upload", "-c", "hats", answers=answers)
    assert (ran.code, names_in(ran)) == (0, [b"a.jpg", b"below/b.PNG"])
    assert ran.rows[:3] == [["found", "2"], ["known", "0"], ["sent", "2"]]


def test_known_files_are_not_sent(lookalike, uploads, folder):
    digest = hashlib.sha256(b"a.jpg").hexdigest()
    answers = {
        **uploads(indexed=1, duplicates=0, failed=0),
        "known": {"collection": "hats", "known": [digest]},
    }
    ran = lookalike("train", str(folder), "--upload", "--json", answers=answers)
    assert names_in(ran) == [b"below/b.PNG"]
    assert (ran.document["known"], ran.document["sent"]) == (1, 1)


def test_a_named_file_is_sent_whatever_its_suffix(lookalike, uploads, folder):
    answers = uploads(indexed=1, duplicates=0, failed=0)
    ran = lookalike("train", str(folder / "notes.txt"), "--upload", answers=answers)
    assert (ran.code, names_in(ran)) == (0, [b"notes.txt"])


@pytest.mark.parametrize(
    ("failed", "options", "code"), [(1, [], 0), (1, ["--strict"], 1), (2, [], 1)]
)
def test_failed_files_are_reported_and_counted(lookalike, uploads, folder, failed, options, code):
    answers = uploads(indexed=2 - failed, duplicates=0, failed=failed)
    ran = lookalike("train", str(folder), "--upload", *options, answers=answers, tty=True)
    assert ran.code == code
    assert ran.out.count("bad?[2J.jpg") == failed


@pytest.mark.parametrize(
    ("indexed", "duplicates", "failed", "code"), [(9, 0, 1, 0), (0, 2, 3, 0), (0, 0, 2, 1)]
)
def test_an_archive_has_failed_if_all_of_its_pictures_have(
    lookalike, uploads, tmp_path, indexed, duplicates, failed, code
):
    (tmp_path / "photos.zip").write_bytes(b"PK")
    answers = uploads(indexed=indexed, duplicates=duplicates, failed=failed)
    ran = lookalike("train", str(tmp_path / "photos.zip"), "--upload", answers=answers)
    assert (ran.code, ["sent", "1"] in ran.rows) == (code, True)


def test_ctrl_c_during_an_upload_says_how_to_continue(lookalike, uploads, folder):
    answers = {**uploads(), "train": KeyboardInterrupt()}
    ran = lookalike("train", str(folder / "a.jpg"), "--upload", answers=answers)
    assert (ran.code, ran.err) == (130, "stopped; the same command continues with the rest\n")


def test_a_service_that_becomes_unreachable_during_an_upload_is_reported(
    lookalike, uploads, folder
):
    answers = {**uploads(), "train": httpx.ConnectError("gone")}
    ran = lookalike("train", str(folder), "--upload", answers=answers)
    assert (ran.code, ran.err.count("error:")) == (3, 1)


def test_a_folder_without_pictures_is_an_error(lookalike, uploads, tmp_path):
    ran = lookalike("train", str(tmp_path), "--upload", answers=uploads())
    assert (ran.code, names_in(ran)) == (2, [])
    assert "there is no picture file in" in ran.err
