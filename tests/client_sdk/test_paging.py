import httpx
import pytest

from client_sdk import Client, UnexpectedAnswer

ERRORS = [{"source": f"{n}.jpg", "code": "image_unreadable", "detail": "bad"} for n in range(3)]


def pages(*bodies):
    return [httpx.Response(200, json=body) for body in bodies]


def test_a_walk_goes_over_every_page(service, ask, handle):
    answers = service(
        *pages(
            {"errors": ERRORS[:2], "next_cursor": "c&1"},
            {"errors": ERRORS[2:], "next_cursor": None},
        )
    )
    walked = ask(answers, lambda client: handle(client).all_errors())
    assert [error.source for error in walked] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [dict(request.url.params) for request in answers.requests] == [
        {"limit": "100"},
        {"limit": "100", "cursor": "c&1"},
    ]


def test_an_empty_page_in_the_middle_does_not_end_a_walk(service, ask, handle):
    answers = service(
        *pages({"errors": [], "next_cursor": "c1"}, {"errors": ERRORS, "next_cursor": None})
    )
    assert len(ask(answers, lambda client: handle(client).all_errors())) == 3


def test_a_walk_over_jobs_gives_jobs(service, ask, job_body):
    answers = service(
        *pages({"jobs": [job_body()], "next_cursor": "c1"}, {"jobs": [job_body(id="j2")]})
    )
    assert [job.id for job in ask(answers, lambda client: client.jobs())] == ["j1", "j2"]


def test_a_walk_asks_for_a_page_only_when_it_is_needed(service, handle):
    answers = service(*pages({"errors": ERRORS, "next_cursor": "c1"}))
    with Client(transport=httpx.MockTransport(answers)) as client:
        walk = handle(client).all_errors()
        assert answers.requests == []
        next(walk)
    assert len(answers.requests) == 1


def test_a_list_that_never_ends_is_not_walked_for_ever(service, ask, handle):
    answers = service(*pages({"errors": ERRORS, "next_cursor": "same"}))
    with pytest.raises(UnexpectedAnswer, match="the same page again"):
        ask(answers, lambda client: handle(client).all_errors())
    assert len(answers.requests) == 2
