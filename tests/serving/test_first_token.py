"""Checks before a start: the first token, and the packages that the settings need."""

import re

import pytest

from bento_service.__main__ import token_settings
from bento_service.api.auth.tokens import Scope, Tokens
from bento_service.serving import start_checks
from bento_service.serving.start_checks import check_start
from bento_service.settings import Settings, SettingsError

MADE = {"FIRST_TOKEN": "1"}
OPEN = "0.0.0.0"  # noqa: S104 - read, not bound


def read(folder, **values):
    values = {"DATA_DIR": str(folder), "HOST": OPEN, **values}
    return Settings.from_environment({f"LOOKALIKE_{name}": text for name, text in values.items()})


def test_the_first_token_is_made_once_printed_once_and_allows_everything(tmp_path, capsys):
    settings = read(tmp_path, **MADE)

    check_start(settings)
    printed = capsys.readouterr().err
    check_start(settings)

    assert capsys.readouterr().err == ""
    (token,) = set(re.findall(r"\b[0-9a-f]{32}\b", printed))
    caller = Tokens(file=settings.tokens_file).caller(token)
    assert caller.may(Scope.SEARCH)
    assert caller.may(Scope.ADMIN)
    assert settings.tokens_file == tmp_path / "tokens"
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o600


def test_a_server_with_a_token_of_its_own_start_accepts_the_first_token_too(tmp_path, capsys):
    settings = read(tmp_path, **MADE)
    check_start(settings)
    (first,) = set(re.findall(r"\b[0-9a-f]{32}\b", capsys.readouterr().err))

    added = {
        name.removeprefix("LOOKALIKE_"): value
        for name, value in token_settings(settings, "the-token-of-this-start").items()
    }
    server = read(tmp_path, **MADE, **added)

    tokens = Tokens(server.tokens, server.tokens_file)
    assert tokens.caller(first).may(Scope.ADMIN)
    assert tokens.caller("the-token-of-this-start").may(Scope.TRAIN)


def test_a_first_token_that_was_written_by_hand_is_kept(tmp_path, capsys):
    (tmp_path / "tokens").write_text("ci search 0123456789abcdef\n")

    check_start(read(tmp_path, **MADE))

    assert capsys.readouterr().err == ""
    assert (tmp_path / "tokens").read_text() == "ci search 0123456789abcdef\n"


@pytest.mark.parametrize(
    "chosen", [{"TOKENS": "ci search 0123456789abcdef"}, {"ALLOW_ANONYMOUS": "1"}]
)
def test_no_token_is_made_where_the_settings_say_who_may_call(tmp_path, chosen, capsys):
    check_start(read(tmp_path, **MADE, **chosen))

    assert capsys.readouterr().err == ""
    assert not (tmp_path / "tokens").exists()


def test_without_the_setting_no_token_is_made_and_an_open_address_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="there is no token"):
        check_start(read(tmp_path))

    assert not (tmp_path / "tokens").exists()


def test_a_start_with_object_storage_needs_its_package(tmp_path):
    with pytest.raises(SettingsError, match="LOOKALIKE_STORAGE names nowhere://, which fsspec"):
        check_start(read(tmp_path, HOST="127.0.0.1", STORAGE="nowhere://bucket"))
    check_start(read(tmp_path, HOST="127.0.0.1", STORAGE="s3://bucket"))


def test_a_start_without_a_milvus_server_needs_milvus_lite(tmp_path, monkeypatch):
    monkeypatch.setattr(start_checks, "find_spec", lambda _: None)

    with pytest.raises(SettingsError, match=r"lookalike-service\[lite\]"):
        check_start(read(tmp_path, HOST="127.0.0.1"))
    check_start(read(tmp_path, HOST="127.0.0.1", MILVUS_URI="http://milvus:19530"))
