import httpx
import pytest

from client_sdk import Client, UnexpectedAnswer

ERRORS = [{"source": f"{n}.jpg", "code": "image_unreadable", "detail": "bad"} for n in range(3)]


def pages(*bodies):
    return [httpx.Response(200, json=body) for body in bodies]


def test_pages_are_followed_to_the_end(service, ask, handle):
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


def test_an_empty_page_does_not_end_the_list(service, ask, handle):
    answers = service(
        *pages({"errors": [], "next_cursor": "c1"}, {"errors": ERRORS, "next_cursor": None})
    )
    assert len(ask(answers, lambda client: handle(client).all_errors())) == 3


def test_jobs_of_all_pages_are_yielded(service, ask, job_body):
    answers = service(
        *pages({"jobs": [job_body()], "next_cursor": "c1"}, {"jobs": [job_body(id="j2")]})
    )
    assert [job.id for job in ask(answers, lambda client: client.jobs())] == ["j1", "j2"]


def test_a_page_is_fetched_only_when_it_is_needed(service, handle):
    answers = service(*pages({"errors": ERRORS, "next_cursor": "c1"}))
    with Client(transport=httpx.MockTransport(answers)) as client:
        walk = handle(client).all_errors()
        assert answers.requests == []
        next(walk)
    assert len(answers.requests) == 1


def test_a_cursor_that_repeats_is_an_error(service, ask, handle):
    answers = service(*pages({"errors": ERRORS, "next_cursor": "same"}))
    with pytest.raises(UnexpectedAnswer, match="the same page twice"):
        ask(answers, lambda client: handle(client).all_errors())
    assert len(answers.requests) == 2
