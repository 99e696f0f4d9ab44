import io
import socket
import subprocess
import sys

import httpx
import pytest

from client_sdk import Client
from client_sdk.__main__ import Progress, main, parse, train

ERROR = {"source": "bad\x1b[2J.jpg", "code": "image_unreadable", "detail": "truncated"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def run(service):
    """Runs `train photos` against prepared answers; gives exit code, stdout and stderr."""

    def run(*answers, arguments=(), log=None):
        out, log = io.StringIO(), log or io.StringIO()
        transport = httpx.MockTransport(service(*answers))
        with Client(transport=transport) as client:
            code = train(client, parse(["train", "photos", *arguments]), out, log)
        return code, out.getvalue(), log.getvalue()

    return run


@pytest.fixture
def said(job_body):
    return lambda **changes: httpx.Response(200, json=job_body(**changes))


def test_a_finished_train_ends_with_a_summary_and_the_first_errors(run, said):
    code, out, _ = run(said(state="pending"), said(errors=[ERROR]))
    assert code == 0
    assert out == "2 indexed, 1 already known, 1 failed\n  bad?[2J.jpg: truncated\n"


def test_more_errors_than_fit_are_counted(run, said):
    _, out, _ = run(said(), said(failed=12, errors=[ERROR] * 12))
    assert out.splitlines()[-1] == "  and 7 more"
    assert len(out.splitlines()) == 7


def test_a_train_of_which_every_file_failed_is_a_failure(run, said):
    code, _, _ = run(said(), said(indexed=0, duplicates=0, failed=4))
    assert code == 1


def test_a_dry_run_says_what_would_be(run, said):
    code, out, _ = run(
        said(state="pending"), said(dry_run=True, removed=3), arguments=["--dry-run", "--prune"]
    )
    assert code == 0
    assert out == "it would be: 2 indexed, 1 already known, 1 failed, 3 removed\n"


def test_an_empty_folder_is_no_failure(run, said):
    code, out, _ = run(said(), said(total=0, done=0, indexed=0, duplicates=0, failed=0))
    assert (code, out) == (0, "0 indexed, 0 already known, 0 failed\n")


def test_a_failed_job_is_told_with_what_it_did(run, said):
    code, out, log = run(said(), said(state="failed", detail="the disk is full"))
    assert code == 1
    assert log.endswith("error: job j1 failed after 4 of 4: the disk is full\n")
    assert out.startswith("2 indexed")


def test_a_terminal_gets_one_line_that_changes(run, said):
    halfway = said(state="in_progress", done=2, images_per_second=4.0, eta_seconds=0.6)
    _, _, log = run(said(state="pending"), halfway, said(), log=Terminal())
    assert log == (
        "\rin_progress: 2 of 4, 4.0 images/s, about 1 s left\x1b[K\rcompleted: 4 of 4\x1b[K\n"
    )


def test_a_log_gets_a_line_only_now_and_then(job):
    now, log = [0.0], io.StringIO()
    progress = Progress(log, clock=lambda: now[0])
    for done in range(4):
        progress(job(state="in_progress", done=done))
        now[0] += 3.0
    progress.end()
    assert log.getvalue() == "in_progress: 0 of 4\nin_progress: 2 of 4\n"


def test_ctrl_c_stops_only_the_watching(run, said):
    code, out, log = run(said(state="pending"), KeyboardInterrupt())
    assert (code, out, log) == (130, "", "stopped watching; job j1 goes on\n")


def test_ctrl_c_before_the_start_promises_no_job(run):
    assert run(KeyboardInterrupt()) == (130, "", "stopped\n")


def test_a_refusal_is_told_in_one_line(run):
    body = {"title": "T", "status": 404, "detail": "'photos' is not there", "code": "x"}
    code, out, log = run(httpx.Response(404, json=body))
    assert (code, out, log) == (1, "", "error: 'photos' is not there [404 x]\n")


def test_a_service_that_starts_is_waited_for_when_asked(run, said):
    starting = [httpx.ConnectError("refused"), httpx.Response(200)]
    code, _, _ = run(*starting, said(state="pending"), said(), arguments=["--wait-ready", "5"])
    assert code == 0


def test_an_impossible_address_is_told_in_one_line(capsys):
    assert main(["train", "photos", "--url", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("error: 'nowhere' is no address of a service")


def test_the_module_can_be_run():
    with socket.socket() as reserved:  # bound and never listening, so that a call is refused
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        ran = subprocess.run(
            [sys.executable, "-m", "client_sdk", "train", "photos", "--url", url],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"error: cannot reach {url}")
