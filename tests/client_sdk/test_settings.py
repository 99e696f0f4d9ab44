import pytest

from client_sdk import Client, UsageError
from client_sdk._settings import resolve


def test_without_anything_the_service_is_on_this_machine():
    settings = resolve(environ={})
    assert (settings.base_url, settings.token, settings.timeout) == (
        "http://127.0.0.1:8001",
        None,
        60.0,
    )


def test_the_environment_comes_before_the_defaults():
    environ = {
        "LOOKALIKE_URL": "https://host/pictures",
        "LOOKALIKE_TOKEN": "t1\n",
        "LOOKALIKE_TIMEOUT": "2.5",
    }
    settings = resolve(environ=environ)
    assert settings.base_url == "https://host/pictures"
    assert settings.headers == {"Authorization": "Bearer t1"}
    assert settings.timeout == 2.5


def test_an_argument_comes_before_the_environment():
    environ = {
        "LOOKALIKE_URL": "http://other",
        "LOOKALIKE_TOKEN": "other",
        "LOOKALIKE_TIMEOUT": "9",
    }
    settings = resolve("http://host", "mine", 1.0, environ)
    assert (settings.base_url, settings.token, settings.timeout) == ("http://host", "mine", 1.0)


def test_an_empty_token_sends_none_whatever_the_environment_says():
    assert resolve(token="", environ={"LOOKALIKE_TOKEN": "other"}).headers == {}


def test_empty_variables_count_as_missing():
    environ = {"LOOKALIKE_URL": "", "LOOKALIKE_TOKEN": "", "LOOKALIKE_TIMEOUT": ""}
    assert resolve(environ=environ) == resolve(environ={})


def test_a_client_reads_the_environment(monkeypatch):
    monkeypatch.setenv("LOOKALIKE_URL", "ftp://host")
    with pytest.raises(UsageError, match="'ftp://host' is no address of a service"):
        Client()


@pytest.mark.parametrize("address", ["host:8001", "127.0.0.1:8001", "ftp://host", "http://", "\0"])
def test_an_address_without_scheme_or_host_is_refused(address):
    with pytest.raises(UsageError, match="is no address of a service"):
        resolve(address, environ={})


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("inf"), float("nan")])
def test_a_wait_without_an_end_is_refused(timeout):
    with pytest.raises(UsageError, match="give a number of seconds"):
        resolve(timeout=timeout, environ={})


def test_a_timeout_that_is_no_number_is_refused():
    with pytest.raises(UsageError, match="LOOKALIKE_TIMEOUT is 'soon'"):
        resolve(environ={"LOOKALIKE_TIMEOUT": "soon"})


@pytest.mark.parametrize("token", ["two\nlines", "schlüssel"])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(token):
    with pytest.raises(UsageError) as caught:
        resolve(token=token, environ={})
    assert token not in str(caught.value)


def test_settings_do_not_show_their_token():
    assert "secret" not in repr(resolve(token="secret", environ={}))  # noqa: S106


def test_a_request_may_never_take_longer_than_the_time_that_is_left():
    settings = resolve(timeout=30.0, environ={})
    assert settings.limits().read == 30.0
    assert settings.limits(within=2.0).read == 2.0
    assert settings.limits().connect == 5.0
