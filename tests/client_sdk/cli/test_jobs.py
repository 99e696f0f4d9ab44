import json

import httpx
import pytest

from tests.support.answers import JOB_ERROR


@pytest.fixture
def trained(lookalike, event_stream):
    """Return a function that runs `train photos`, whose job goes through some states."""

    def trained(*arguments, states, **options):
        answers = {"train": states[0], "jobs/j1/events": event_stream(states)}
        return lookalike("train", "photos", *arguments, answers=answers, **options)

    return trained


def test_a_train_is_watched_to_its_end(trained, job):
    ran = trained(states=[job(state="pending", done=0), job()])
    assert ran.code == 0
    assert ["state", "completed"] in ran.rows
    assert ["indexed", "2"] in ran.rows
    assert ran.err.splitlines()[0] == "pending: 0 of 4"


def test_json_is_the_job_at_its_end(trained, job):
    ran = trained("--json", states=[job(state="pending", done=0), job(errors=[JOB_ERROR])])
    assert ran.document["state"] == "completed"
    assert ran.document["errors"] == [JOB_ERROR]
    assert "\\u001b" in ran.out


def test_no_wait_only_starts(lookalike, job):
    ran = lookalike("train", "photos", "--no-wait", answers={"train": job(state="pending")})
    assert (ran.code, len(ran.requests)) == (0, 1)
    assert ["state", "pending"] in ran.rows


def test_the_options_of_a_train_are_sent(lookalike, job):
    options = ["--ignore", "*.gif", "--prune", "--flat", "-m", "shop=north", "-m", "price=20"]
    ran = lookalike(
        *("train", "photos", "-c", "hats", "--no-wait", *options), answers={"train": job()}
    )
    sent = json.loads(ran.requests[0].content)
    assert sent["metadata"] == {"shop": "north", "price": 20}
    assert (sent["path"], sent["collection"], sent["ignore"]) == ("photos", "hats", ["*.gif"])
    assert (sent["recursive"], sent["prune"]) == (False, True)


@pytest.mark.parametrize(
    ("end", "arguments", "code"),
    [
        ({"indexed": 0, "duplicates": 0, "failed": 4}, [], 1),
        ({"indexed": 3, "duplicates": 0, "failed": 1}, [], 0),
        ({"indexed": 3, "duplicates": 0, "failed": 1}, ["--strict"], 1),
        ({"indexed": 0, "duplicates": 4, "failed": 0}, ["--strict"], 0),
        ({"state": "failed", "detail": "the disk is full"}, [], 1),
        ({"state": "canceled"}, [], 1),
    ],
)
def test_the_exit_code_depends_on_failed_files(trained, job, end, arguments, code):
    assert trained(*arguments, states=[job(state="pending"), job(**end)]).code == code


def test_a_failed_job_is_reported_with_its_reason(trained, job):
    ran = trained(states=[job(state="pending"), job(state="failed", done=2, detail="disk full")])
    assert ran.err.splitlines()[-1] == "error: job j1 failed after 2 of 4: disk full"


def test_a_terminal_shows_the_first_errors_and_how_to_list_all(trained, job):
    states = [job(state="pending"), job(failed=12, errors=[JOB_ERROR] * 12)]
    ran = trained(states=states, tty=True)
    assert ran.out.count("bad?[2J.jpg") == 5
    assert "12 files failed; list them all with lookalike jobs errors j1" in ran.err


@pytest.mark.parametrize(("options", "lines"), [((), 5), (("--json",), 0)])
def test_a_pipe_gets_the_first_errors_on_the_stream_of_errors(trained, job, options, lines):
    ran = trained(*options, states=[job(failed=12, errors=[JOB_ERROR] * 12)])
    assert ran.err.splitlines().count("failed: bad?[2J.jpg: truncated") == lines
    assert ("12 files failed" in ran.err) == bool(lines)


def test_process_shows_the_newest_job(lookalike, job):
    ran = lookalike("process", answers={"process": job(state="in_progress", done=1)})
    assert ["state", "in_progress"] in ran.rows
    assert ["done", "1"] in ran.rows


def test_jobs_are_listed_newest_first(lookalike, job):
    page = {"jobs": [job(id="j2", state="failed"), job()], "next_cursor": None}
    ran = lookalike("jobs", "--state", "failed", "--state", "completed", answers={"jobs": page})
    assert [row[:2] for row in ran.rows] == [["j2", "failed"], ["j1", "completed"]]
    assert ran.requests[0].url.params.get_list("state") == ["failed", "completed"]


def test_only_the_shown_jobs_are_fetched(lookalike, job):
    page = {"jobs": [job(id=f"j{n}") for n in range(3)], "next_cursor": "more"}
    ran = lookalike("jobs", "-n", "2", "--json", answers={"jobs": page})
    assert [one["id"] for one in ran.documents] == ["j0", "j1"]
    assert len(ran.requests) == 1


def test_follow_prints_a_line_for_every_change(lookalike, event_stream, job):
    states = [job(state="pending", done=0), job(state="in_progress", done=2), job()]
    answers = {"process": states[0], "jobs/j1": states[0], "jobs/j1/events": event_stream(states)}
    assert lookalike("jobs", "follow", answers=answers).out == (
        "pending: 0 of 4\nin_progress: 2 of 4\ncompleted: 4 of 4\n"
    )
    ran = lookalike("jobs", "follow", "j1", "--json", answers=answers)
    assert [one["done"] for one in ran.documents] == [0, 2, 4]


@pytest.mark.parametrize(("options", "tty"), [((), True), ((), False), (("--json",), False)])
@pytest.mark.parametrize(
    ("end", "code"),
    [
        ({"indexed": 0, "duplicates": 0, "failed": 4}, 1),
        ({"indexed": 0, "duplicates": 1, "failed": 3}, 0),
        ({"state": "canceled"}, 1),
    ],
)
def test_follow_exits_alike_in_a_terminal_and_in_a_pipe(
    lookalike, event_stream, job, options, tty, end, code
):
    states = [job(state="pending", done=0), job(**end)]
    answers = {"jobs/j1": states[0], "jobs/j1/events": event_stream(states)}
    assert lookalike("jobs", "follow", "j1", *options, answers=answers, tty=tty).code == code


def test_follow_without_a_job_exits_with_1(lookalike, job):
    ran = lookalike("jobs", "follow", answers={"process": job(id=None, state="idle")})
    assert (ran.code, ran.out) == (1, "")
    assert "start one with lookalike train" in ran.err


def test_every_error_of_a_job_is_listed(lookalike, job):
    pages = [
        {"errors": [JOB_ERROR], "next_cursor": "2"},
        {"errors": [{**JOB_ERROR, "source": "b.jpg"}], "next_cursor": None},
    ]
    ran = lookalike("jobs", "errors", "j1", answers={"jobs/j1": job(), "jobs/j1/errors": pages})
    assert ran.rows == [
        ["bad?[2J.jpg", "image_unreadable", "truncated"],
        ["b.jpg", "image_unreadable", "truncated"],
    ]


def test_cancel_and_retry(lookalike, event_stream, job):
    answers = {"jobs/j1": job(), "jobs/j1/cancel": job(state="canceled")}
    canceled = lookalike("jobs", "cancel", "j1", answers=answers)
    assert (canceled.code, ["state", "canceled"] in canceled.rows) == (0, True)
    again = [job(id="j2", state="pending", retry_of="j1"), job(id="j2", retry_of="j1")]
    answers = {"jobs/j1": job(), "jobs/j1/retry": again[0], "jobs/j2/events": event_stream(again)}
    assert ["retry_of", "j1"] in lookalike("jobs", "retry", "j1", answers=answers).rows


def test_ctrl_c_ends_only_the_watching(lookalike, job):
    answers = {"train": job(state="pending"), "jobs/j1/events": KeyboardInterrupt()}
    ran = lookalike("train", "photos", answers=answers)
    assert ran.code == 130
    assert ran.err == "stopped watching; job j1 continues: lookalike jobs follow j1\n"


def test_train_waits_until_the_service_is_ready(job, lookalike):
    answers = {"/readyz": [httpx.ConnectError("refused"), {}], "train": job()}
    ran = lookalike("train", "photos", "--wait-ready", "5", answers=answers)
    assert ran.code == 0


def test_a_prefix_of_an_id_selects_a_job(lookalike, job):
    number = "0123456789abcdef" * 2
    page = {"jobs": [job(id=number), job(id="f" * 32)], "next_cursor": None}
    assert number[:12] in lookalike("jobs", answers={"jobs": page}, tty=True).out
    answers = {"jobs": page, f"jobs/{number}/cancel": job(id=number, state="canceled")}
    assert lookalike("jobs", "cancel", number[:12], answers=answers).code == 0
    several = {"jobs": [job(id=number), job(id="0123456" + "f" * 25)], "next_cursor": None}
    ran = lookalike("jobs", "cancel", number[:6], answers={"jobs": several})
    assert (ran.code, len(ran.requests)) == (2, 1)


def test_a_log_ends_with_the_last_state_of_a_job(lookalike, job, event_stream):
    states = [job(state="in_progress", done=0), job(state="in_progress", done=2), job()]
    answers = {"train": states[0], "jobs/j1/events": event_stream(states)}
    ran = lookalike("train", "a", answers=answers)
    assert ran.err.splitlines()[-1].startswith("completed: 4 of 4")


def test_a_job_without_files_is_reported(lookalike, job):
    links = {"code": "link", "count": 3, "source": "a/1.jpg", "detail": "is a link"}
    none = job(total=0, done=0, indexed=0, duplicates=0, failed=0, skipped=[links])
    ran = lookalike("train", "a", answers={"train": none})
    assert ran.code == 0
    assert ran.err.splitlines() == [
        "left out: 3, such as a/1.jpg: is a link",
        "the job found no file to read",
    ]
    empty = {**none, "kind": "reindex", "skipped": []}
    ran = lookalike("collections", "reindex", "a", answers={"collections/a/reindex": empty})
    assert (ran.code, ran.err) == (0, "")
