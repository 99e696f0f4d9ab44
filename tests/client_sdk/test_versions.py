"""The check of the version of the service, in every answer."""

import httpx
import pytest

from client_sdk import VersionMismatch, __version__
from client_sdk._transport.failures import OLDEST, TOO_NEW
from tests.support.answers import COUNT


def answer(version, status=200):
    return httpx.Response(status, json=COUNT, headers={"X-Lookalike-Version": version})


@pytest.mark.parametrize("version", [__version__, "0.1.99", "0.1.0rc1", "", "a fork"])
def test_a_supported_version_needs_no_further_request(version, service, ask):
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
def test_an_unsupported_version_is_rejected_with_the_remedy(version, remedy, status, service, ask):
    with pytest.raises(VersionMismatch) as caught:
        ask(service(answer(version, status)), lambda client: client.count())
    assert f"the service has version {version}" in str(caught.value)
    assert __version__ in str(caught.value)
    assert remedy in str(caught.value)


def test_check_version_false_skips_the_check(service, ask):
    assert ask(service(answer("9.0")), lambda client: client.count(), check_version=False) == 3


def test_events_of_an_unsupported_version_are_rejected(service, ask, handle):
    headers = {"content-type": "text/event-stream", "X-Lookalike-Version": "9.0"}
    with pytest.raises(VersionMismatch):
        ask(service(httpx.Response(200, headers=headers)), lambda client: handle(client).events())


def test_the_own_version_is_supported():
    own = tuple(int(number) for number in __version__.split(".")[:2])
    assert OLDEST <= own < TOO_NEW
