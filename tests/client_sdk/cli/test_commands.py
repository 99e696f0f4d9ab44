"""How commands end, whatever they do: codes and one line that says what to do."""

import subprocess
import sys

import httpx
import pytest

from client_sdk import errors
from client_sdk.cli.codes import Code, code_of

COUNT = {"collection": "default", "count": 3}


def problem(status, code, detail="it is so"):
    body = {"title": "T", "status": status, "detail": detail, "code": code}
    return httpx.Response(status, json=body)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (problem(404, "collection_not_found"), 4, "error: it is so [404 collection_not_found]\n"),
        (problem(422, "invalid_argument"), 4, "error: it is so [422 invalid_argument]\n"),
        (problem(429, "overloaded"), 3, "error: it is so [429 overloaded]\n"),
        (problem(503, "index_unavailable"), 3, "error: it is so [503 index_unavailable]\n"),
        (
            httpx.ReadTimeout("late"),
            3,
            "error: no answer from http://127.0.0.1:8001 in time: late\n",
        ),
        (httpx.Response(200, text="<html>"), 3, None),
    ],
)
def test_a_failure_is_one_line_and_a_code(lookalike, answer, code, said):
    ran = lookalike("count", answers={"count": answer})
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.count("\n") == 1
    assert said is None or ran.err == said


def test_a_service_that_is_not_there_is_told(lookalike):
    ran = lookalike("count", answers={"count": httpx.ConnectError("refused")})
    assert ran.code == 3
    assert ran.err == (
        "error: cannot reach http://127.0.0.1:8001: refused; is the service running there?\n"
    )


def test_a_missing_token_is_told_with_how_to_give_one(lookalike):
    ran = lookalike("count", answers={"count": problem(401, "unauthenticated")})
    assert ran.code == 4
    assert "set LOOKALIKE_TOKEN, or name a file that holds the token with --token-file" in ran.err


def test_what_the_service_says_drives_no_terminal(lookalike):
    answer = problem(404, "collection_not_found", "no \x1b[2J [bold]such\nthing")
    ran = lookalike("count", answers={"count": answer}, tty=True)
    assert "no ?[2J [bold]such thing" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["serch"],
        ["count", "--colour"],
        ["search"],
        ["search", "/nowhere.jpg"],
        ["search", "id:7", "--top-k", "0"],
        ["search", "id:7", "--region", "1,2"],
        ["count", "--url", "nowhere"],
        ["count", "--timeout", "-1"],
        ["count", "--token-file", "/nowhere"],
        ["delete"],
        ["delete", "seven"],
        ["delete", "1", "--all"],
        ["images", "--limit", "5", "show", "7"],
        ["images", "set", "7"],
        ["images", "set", "7", "north"],
        ["train", "a", "b"],
        ["train", "a", "--upload", "--prune"],
        ["compare", "-", "-"],
    ],
)
def test_what_makes_no_sense_is_one_line_and_asks_for_nothing(lookalike, arguments):
    ran = lookalike(*arguments)
    assert (ran.code, ran.out, ran.requests) == (2, "", [])
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1


def test_without_a_command_the_help_comes_with_a_hint(lookalike):
    ran = lookalike()
    assert ran.code == 2
    assert ran.err == "error: name a command, such as: lookalike search cat.jpg\n"


@pytest.mark.parametrize("option", ["--url", "--json"])
def test_an_option_before_the_command_gets_a_hint(lookalike, option):
    ran = lookalike(option, "x", "count")
    assert (ran.code, ran.requests) == (2, [])
    assert f"options come after the command: lookalike COMMAND ... {option}" in ran.err


def test_a_misspelt_command_is_guessed(lookalike):
    assert "Did you mean 'search'?" in lookalike("serch").err


def test_every_error_has_a_code():
    def kinds(kind):
        return [kind, *(one for below in kind.__subclasses__() for one in kinds(below))]

    for kind in kinds(errors.ApiError):
        error = kind(kind.known_status or 418, kind.known_code or "x", "d")
        assert code_of(error) in (Code.AWAY, Code.REFUSED)
    assert code_of(errors.UsageError("x")) is Code.USAGE
    assert code_of(errors.ConnectError("x")) is Code.AWAY
    assert code_of(errors.TimeoutExceeded("x")) is Code.AWAY
    assert code_of(errors.UnexpectedAnswer("x")) is Code.AWAY


def test_a_token_comes_from_a_file(lookalike, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    ran = lookalike("count", "--token-file", str(tmp_path / "token"), answers={"count": COUNT})
    assert ran.out == "3\n"
    assert ran.requests[0].headers["authorization"] == "Bearer s3cret"


def test_the_environment_says_where_the_service_is(lookalike, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_URL", "http://shop.example:9")
    monkeypatch.setenv("LOOKALIKE_TOKEN", "s3cret")
    ran = lookalike("count", "--json", answers={"count": COUNT})
    assert ran.document == COUNT
    assert str(ran.requests[0].url).startswith("http://shop.example:9/api/v2/count")
    assert ran.requests[0].headers["authorization"] == "Bearer s3cret"


def test_ctrl_c_is_a_code_of_its_own(lookalike):
    ran = lookalike("count", answers={"count": KeyboardInterrupt()})
    assert (ran.code, ran.out, ran.err) == (130, "", "")


def test_every_command_has_json_and_the_options_of_the_connection(lookalike, capsys):
    commands = ["train", "process", "count", "search", "delete", "compare", "duplicates", "info"]
    groups = ["images", "images show", "jobs", "jobs follow", "collections", "collections create"]
    for command in [*commands, *groups]:
        assert lookalike(*command.split(), "--help").code == 0
        said = capsys.readouterr().out
        for option in ("--json", "--url", "--token-file", "--timeout"):
            assert option in said, command


def test_without_the_extra_the_command_says_what_to_install():
    script = (
        "import sys; sys.modules['typer'] = None\n"
        "from client_sdk.cli import main; sys.exit(main(['count']))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "error: the command lookalike needs typer, which is not installed; "
        "install Lookalike's extra `cli`, as docs/install.md says\n"
    )
