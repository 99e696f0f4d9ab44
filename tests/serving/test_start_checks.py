"""Checks before the start, in the first process."""

import tempfile

import pytest

from bento_service.__main__ import own_url
from bento_service.serving.start_checks import shorten_socket_paths
from bento_service.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def _temporary(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_sockets_are_made_elsewhere_if_the_path_of_temporary_files_is_too_long(tmp_path):
    short, long = tmp_path / "s", tmp_path / ("ü" * 60)
    long.mkdir()
    tempfile.tempdir = str(tmp_path)[:50]
    shorten_socket_paths([str(short)])
    assert tempfile.tempdir == str(tmp_path)[:50]
    tempfile.tempdir = str(long)
    with pytest.raises(SettingsError, match=r"TMPDIR is .*, whose path is too long for sockets"):
        shorten_socket_paths([str(short)])
    short.mkdir()
    shorten_socket_paths([str(tmp_path / "missing"), str(short)])
    assert tempfile.tempdir == str(short)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8001"),
        ("0.0.0.0", "http://127.0.0.1:8001"),  # noqa: S104 - not bound
        ("::1", "http://[::1]:8001"),
        ("::", "http://[::1]:8001"),
        ("localhost", "http://127.0.0.1:8001"),
        ("2001:db8::7", "http://[2001:db8::7]:8001"),
    ],
)
def test_a_service_calls_itself_by_an_address_of_this_machine(host, url):
    assert own_url(Settings(host=host)) == url


def test_with_a_certificate_it_calls_itself_by_https(tmp_path):
    settings = Settings(tls_certificate=tmp_path / "chain.pem", tls_key=tmp_path / "key.pem")
    assert own_url(settings) == "https://127.0.0.1:8001"
