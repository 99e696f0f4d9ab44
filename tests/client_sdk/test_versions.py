"""Services of another time are told apart, by each answer and without asking."""

import httpx
import pytest

from client_sdk import VersionMismatch, __version__
from client_sdk._transport.versions import OLDEST, TOO_NEW

COUNT = {"collection": "default", "count": 3}


def answer(version, status=200):
    return httpx.Response(status, json=COUNT, headers={"X-Lookalike-Version": version})


@pytest.mark.parametrize("version", [__version__, "0.1.99", "0.1.0rc1", "", "a fork"])
def test_a_service_of_this_time_is_understood_without_a_further_request(version, service, ask):
    answers = service(answer(version))
    assert ask(answers, lambda client: client.count()) == 3
    assert len(answers.requests) == 1


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        ("0.2.0", "install the client of Lookalike 0.2"),
        ("1.0.0", "install the client of Lookalike 1.0"),
        ("0.0.9", "upgrade the service, or install the client of Lookalike 0.0"),
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_a_service_of_another_time_is_refused_with_what_to_do(
    version, remedy, status, service, ask
):
    with pytest.raises(VersionMismatch) as caught:
        ask(service(answer(version, status)), lambda client: client.count())
    assert f"the service is version {version}" in str(caught.value)
    assert __version__ in str(caught.value)
    assert remedy in str(caught.value)


def test_who_knows_better_may_go_on(service, ask):
    assert ask(service(answer("9.0")), lambda client: client.count(), check_version=False) == 3


def test_a_job_of_another_time_is_not_followed(service, ask, handle):
    headers = {"content-type": "text/event-stream", "X-Lookalike-Version": "9.0"}
    with pytest.raises(VersionMismatch):
        ask(service(httpx.Response(200, headers=headers)), lambda client: handle(client).events())


def test_the_client_understands_the_service_that_it_comes_with():
    own = tuple(int(number) for number in __version__.split(".")[:2])
    assert OLDEST <= own < TOO_NEW
