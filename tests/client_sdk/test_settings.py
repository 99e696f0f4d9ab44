import sys

import pytest

from client_sdk import AsyncClient, Client, UsageError
from client_sdk._transport.settings import proxy_of, resolve


def test_the_default_service_is_on_this_machine():
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


def test_an_empty_token_overrides_the_environment():
    assert resolve(token="", environ={"LOOKALIKE_TOKEN": "other"}).headers == {}


def test_empty_variables_count_as_missing():
    environ = {"LOOKALIKE_URL": "", "LOOKALIKE_TOKEN": "", "LOOKALIKE_TIMEOUT": ""}
    assert resolve(environ=environ) == resolve(environ={})


def test_a_client_reads_the_environment(monkeypatch):
    monkeypatch.setenv("LOOKALIKE_URL", "ftp://host")
    with pytest.raises(UsageError, match="'ftp://host' is not the address of a service"):
        Client()


@pytest.mark.parametrize("address", ["host:8001", "127.0.0.1:8001", "ftp://host", "http://", "\0"])
def test_an_address_without_scheme_or_host_is_rejected(address):
    with pytest.raises(UsageError, match="is not the address of a service"):
        resolve(address, environ={})


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("inf"), float("nan")])
def test_an_invalid_timeout_is_rejected(timeout):
    with pytest.raises(UsageError, match="give a number of seconds"):
        resolve(timeout=timeout, environ={})


def test_a_timeout_that_is_not_a_number_is_rejected():
    with pytest.raises(UsageError, match="LOOKALIKE_TIMEOUT is 'soon'"):
        resolve(environ={"LOOKALIKE_TIMEOUT": "soon"})


@pytest.mark.parametrize("token", ["two\nlines", "schlüssel"])
def test_an_invalid_token_is_rejected_without_showing_it(token):
    with pytest.raises(UsageError) as caught:
        resolve(token=token, environ={})
    assert token not in str(caught.value)


def test_settings_do_not_show_their_token():
    assert "secret" not in repr(resolve(token="secret", environ={}))  # noqa: S106


def test_a_request_takes_at_most_the_remaining_time():
    settings = resolve(timeout=30.0, environ={})
    assert settings.limits().read == 30.0
    assert settings.limits(within=2.0).read == 2.0
    assert settings.limits().connect == 5.0


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_without_https_no_certificates_are_read(kind, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    kind("http://127.0.0.1:8001")
    with pytest.raises(UsageError, match="SSL_CERT_FILE is"):
        kind("https://127.0.0.1:8001")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_shows_its_address_without_the_password(kind):
    shown = repr(kind("http://me:secret@host:1/deep", token="hidden"))  # noqa: S106
    assert shown == f"{kind.__name__}('http://...@host:1/deep')"


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def proxies(monkeypatch):
    """Sets the proxies of the environment, and no others."""

    def put(**named):
        for name in PROXIES:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        for name, url in named.items():
            monkeypatch.setenv(name, url)

    return put


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "socks://x:1080"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1:8001", "127.8.0.1", "localhost", "[::1]:8001", "0.0.0.0:1", "a.localhost"]
)
def test_this_machine_is_reached_without_a_proxy(proxy, host, proxies):
    proxies(ALL_PROXY=proxy, HTTP_PROXY=proxy)
    assert proxy_of(f"http://{host}") is None
    for kind in (Client, AsyncClient):
        kind(f"http://{host}")


def test_other_machines_are_reached_through_the_proxy(proxies):
    proxies(HTTP_PROXY="proxy.example:3128", NO_PROXY="near.example")
    assert proxy_of("http://far.example") == "http://proxy.example:3128"
    assert proxy_of("http://near.example") is None
    assert proxy_of("https://far.example") is None


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        ("socks5://me:secret@host:1080", "SOCKS needs `pip install 'httpx[socks]'`"),
        ("socks://me:secret@host:1080", "not an HTTP proxy"),
        ("http://me:secret@host:port", "not an HTTP proxy"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_unusable_proxy_is_named_without_password(kind, proxy, message, proxies, monkeypatch):
    proxies(ALL_PROXY=proxy)
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(UsageError, match=r"the proxy \S+ that the environment names") as caught:
        kind("http://far.example")
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
