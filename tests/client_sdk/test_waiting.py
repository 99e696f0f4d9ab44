from itertools import pairwise

import httpx
import pytest

from client_sdk import (
    ConnectError,
    JobFailed,
    JobNotFound,
    Overloaded,
    TimeoutExceeded,
    UsageError,
)
from client_sdk._transport.polling import Polling
from tests.support.clock import Clock

QUICK = {"timeout": 60.0, "interval": 0.001}


@pytest.fixture
def polls(job_body):
    """Return answers to `process`: one for each set of changes."""
    return lambda *changes: [httpx.Response(200, json=job_body(**change)) for change in changes]


def refusal(status, code):
    body = {"title": "T", "status": status, "detail": "why", "code": code}
    return httpx.Response(status, json=body)


def test_wait_returns_the_completed_job(service, ask, polls, handle):
    answers = service(*polls({"state": "pending"}, {"state": "in_progress"}, {}))
    seen = []
    job = ask(answers, lambda client: handle(client).wait(**QUICK, on_progress=seen.append))
    assert (job.state, job.indexed) == ("completed", 2)
    assert [look.state for look in seen] == ["pending", "in_progress", "completed"]
    assert {str(request.url.params) for request in answers.requests} == {"job=j1"}


def test_wait_works_on_a_pending_job(service, ask, polls, job, handle):
    answers = service(*polls({}))
    assert ask(answers, lambda client: handle(client, state="pending").wait(**QUICK)).id == "j1"


@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_a_failed_or_canceled_job_raises_job_failed(state, service, ask, polls, handle):
    answers = service(*polls({"state": "pending"}, {"state": state}))
    with pytest.raises(JobFailed) as caught:
        ask(answers, lambda client: handle(client).wait(**QUICK))
    assert caught.value.job.state == state


def test_wait_times_out(service, ask, polls, handle):
    answers = service(*polls({"state": "in_progress", "done": 1}))
    with pytest.raises(TimeoutExceeded, match=r"j1 is still in_progress with 1 of 4.*after 1 s"):
        ask(answers, lambda client: handle(client).wait(timeout=1.0, interval=0.005))
    assert len(answers.requests) > 1


def test_wait_retries_temporary_failures(service, ask, polls, handle):
    passing = [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        refusal(503, "not_ready"),
        refusal(429, "overloaded"),
        httpx.Response(502),
    ]
    answers = service(*passing, *polls({}))
    assert ask(answers, lambda client: handle(client).wait(**QUICK)).state == "completed"


def test_wait_times_out_if_the_service_is_unreachable(service, ask, handle):
    with pytest.raises(TimeoutExceeded, match="j1 could not be requested") as caught:
        ask(
            service(httpx.ConnectError("refused")),
            lambda client: handle(client).wait(timeout=0.01, interval=0.001),
        )
    assert isinstance(caught.value.__cause__, ConnectError)


def test_wait_for_an_unknown_job_fails_at_once(service, ask, handle):
    answers = service(refusal(404, "job_not_found"))
    with pytest.raises(JobNotFound):
        ask(answers, lambda client: handle(client).wait(**QUICK))
    assert len(answers.requests) == 1


def test_wait_for_no_job_is_rejected(service, ask, polls, job, handle):
    with pytest.raises(UsageError, match="there is no job yet"):
        ask(service(*polls({})), lambda client: handle(client, id=None, state="idle").wait())


def test_an_error_in_on_progress_is_raised(service, ask, polls, handle):
    def stumble(job):
        raise ConnectError("mine")

    with pytest.raises(ConnectError, match="mine"):
        ask(service(*polls({})), lambda client: handle(client).wait(**QUICK, on_progress=stumble))


def test_a_poll_takes_at_most_the_remaining_time(service, ask, polls, handle):
    answers = service(*polls({}))
    ask(answers, lambda client: handle(client).wait(timeout=4.0))
    assert 1.0 <= answers.requests[0].extensions["timeout"]["read"] <= 4.0


def test_wait_ready_retries_until_the_service_is_ready(service, ask):
    answers = service(httpx.ConnectError("refused"), httpx.Response(503), httpx.Response(200))
    assert ask(answers, lambda client: client.wait_ready(**QUICK)) is None
    assert len(answers.requests) == 3


def test_wait_ready_times_out(service, ask):
    with pytest.raises(TimeoutExceeded, match=r"the service is not ready after 0\.01 s"):
        ask(service(httpx.Response(503)), lambda client: client.wait_ready(timeout=0.01))


def test_pauses_grow_gently_up_to_two_seconds():
    polling = Polling(timeout=600.0, interval=0.2, clock=Clock())
    pauses = [polling.pause("x") for _ in range(20)]
    assert pauses[0] == 0.2
    assert pauses == sorted(pauses)
    assert all(later <= 1.5 * sooner for sooner, later in pairwise(pauses))
    assert pauses[-1] == 2.0


def test_a_long_interval_is_kept():
    polling = Polling(timeout=600.0, interval=30.0, clock=Clock())
    assert [polling.pause("x") for _ in range(3)] == [30.0, 30.0, 30.0]


def test_a_pause_is_as_long_as_the_service_asks_for():
    polling = Polling(timeout=600.0, interval=0.2, clock=Clock())
    assert polling.pause("x", Overloaded(429, "overloaded", "full", retry_after=7.0)) == 7.0


def test_the_last_pause_ends_at_the_time_limit():
    clock = Clock()
    polling = Polling(timeout=10.0, interval=8.0, clock=clock)
    assert polling.pause("x") == 8.0
    clock.now += 8.0
    assert polling.pause("x") == 2.0
    clock.now += 2.0
    with pytest.raises(TimeoutExceeded, match="x after 10 s"):
        polling.pause("x")


@pytest.mark.parametrize(
    ("timeout", "interval"), [(-1.0, 1.0), (float("inf"), 1.0), (float("nan"), 1.0), (1.0, 0.0)]
)
def test_an_infinite_timeout_or_a_zero_interval_is_rejected(timeout, interval):
    with pytest.raises(UsageError, match="cannot wait"):
        Polling(timeout=timeout, interval=interval)
