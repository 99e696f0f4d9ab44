import hashlib
import logging
import os

import pytest

from bento_service.api.auth.tokens import Scope, Tokens, TokensError
from tests.support.clock import Clock

ONE, TWO = "one-" + "x" * 20, "two-" + "y" * 20


def test_a_token_is_known_by_its_name_and_scopes():
    tokens = Tokens(f"ci search,train {ONE}; ops admin {TWO}")

    assert tokens.are_required
    assert tokens.caller(ONE).name == "ci"
    assert tokens.caller(ONE).scopes == {Scope.SEARCH, Scope.TRAIN}
    assert not tokens.caller(ONE).may(Scope.ADMIN)
    assert tokens.caller(TWO).may(Scope.SEARCH)
    assert tokens.caller(ONE + "x") is None
    assert tokens.caller("") is None


def test_without_tokens_callers_need_none():
    assert not Tokens().are_required


def test_a_digest_admits_its_token():
    digest = hashlib.sha256(ONE.encode()).hexdigest()
    tokens = Tokens(f"ci search sha256:{digest}")

    assert tokens.caller(ONE).name == "ci"
    assert tokens.caller(f"sha256:{digest}") is None


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("ci search", "NAME SCOPES TOKEN"),
        (f"ci search {ONE} more", "NAME SCOPES TOKEN"),
        (f"c/i search {ONE}", "a name has up to 64"),
        (f"ci search,fly {ONE}", "the scopes are search, train, admin"),
        (f"ci , {ONE}", "the scopes are"),
        ("ci search short-secret", "at least 16 characters"),
        ("ci search sha256:1234", "at least 16 characters"),
    ],
)
def test_the_error_for_an_invalid_line_does_not_reveal_its_secret(line, what):
    with pytest.raises(TokensError, match=what) as caught:
        Tokens(f"# comment\n{line}")
    assert "LOOKALIKE_TOKENS, line 2" in str(caught.value)
    assert ONE not in str(caught.value)
    assert "short-secret" not in str(caught.value)


def test_tokens_are_not_kept_in_memory():
    assert ONE not in repr(vars(Tokens(f"ci search {ONE}")))


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"ci search {ONE}\n")
    return file


def test_a_changed_file_is_read_again(file):
    clock = Clock()
    tokens = Tokens(file=file, clock=clock)
    file.write_text(f"ci search {ONE}\nci search {TWO}\n")
    clock.now += 2
    assert tokens.caller(TWO).name == tokens.caller(ONE).name == "ci"

    file.write_text(f"ci search {TWO}\n")
    clock.now += 2
    assert tokens.caller(ONE) is None


@pytest.mark.parametrize("content", ["", "# nobody\n"])
def test_an_emptied_file_revokes_its_tokens_and_callers_still_need_one(file, content):
    clock = Clock()
    tokens = Tokens(f"ops admin {TWO}", file, clock=clock)
    only = Tokens(file=file, clock=clock)
    file.write_text(content)
    clock.now += 2

    assert tokens.caller(ONE) is None
    assert tokens.caller(TWO).name == "ops"
    assert only.caller(ONE) is None
    assert only.are_required

    file.write_text(f"ci search {ONE}\n")
    clock.now += 2
    assert only.caller(ONE).name == "ci"


@pytest.mark.parametrize("wrong", ["nonsense\n", None])
def test_an_invalid_or_missing_file_changes_nothing(file, wrong, caplog):
    clock = Clock()
    tokens = Tokens(file=file, clock=clock)
    if wrong is None:
        file.unlink()
    else:
        file.write_text(wrong)
    clock.now += 2

    with caplog.at_level(logging.ERROR):
        assert tokens.caller(ONE).name == "ci"
    assert "the tokens were not changed" in caplog.text
    assert tokens.are_required


@pytest.mark.parametrize("content", [None, "", "# nothing yet\n"])
def test_a_file_without_a_token_is_refused_at_the_start(tmp_path, content):
    file = tmp_path / "tokens"
    if content is not None:
        file.write_text(content)
    with pytest.raises(TokensError, match="LOOKALIKE_TOKENS_FILE"):
        Tokens(file=file)


def test_a_file_replaced_by_renaming_is_read_again(file, tmp_path):
    clock = Clock()
    tokens = Tokens(file=file, clock=clock)
    before = file.stat()
    other = tmp_path / "new"
    other.write_text(f"ci search {TWO}\n")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(file)
    clock.now += 2

    assert tokens.caller(TWO).name == "ci"
