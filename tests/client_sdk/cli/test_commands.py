"""Exit codes and messages of commands, and the shared options."""

import io
import subprocess
import sys

import httpx
import pytest

from client_sdk import errors
from client_sdk.cli.app import run
from client_sdk.cli.codes import Code, code_of
from client_sdk.cli.commands import Surroundings
from tests.support.answers import COUNT, INFO


def problem(status, code, detail="it is so"):
    body = {"title": "T", "status": status, "detail": detail, "code": code}
    return httpx.Response(status, json=body)


@pytest.mark.parametrize(
    ("answer", "code", "printed"),
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
def test_a_failure_is_one_line_and_a_code(lookalike, answer, code, printed):
    ran = lookalike("count", answers={"count": answer})
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.count("\n") == 1
    assert printed is None or ran.err == printed


def test_an_unreachable_service_is_reported(lookalike):
    ran = lookalike("count", answers={"count": httpx.ConnectError("refused")})
    assert ran.code == 3
    assert ran.err == (
        "error: cannot reach http://127.0.0.1:8001: refused; is the service running there?\n"
    )


def test_a_missing_token_is_reported_with_the_remedy(lookalike):
    ran = lookalike("count", answers={"count": problem(401, "unauthenticated")})
    assert ran.code == 4
    assert (
        "set LOOKALIKE_TOKEN, or name a file that contains the token with --token-file" in ran.err
    )


def test_control_characters_in_messages_are_replaced(lookalike):
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
def test_wrong_arguments_are_one_line_and_send_nothing(lookalike, arguments):
    ran = lookalike(*arguments)
    assert (ran.code, ran.out, ran.requests) == (2, "", [])
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1


def test_without_a_command_the_help_is_shown(lookalike, capsys):
    ran = lookalike()
    assert (ran.code, ran.err) == (2, "")
    assert "Usage: lookalike" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["-c", "--top-k"])
def test_an_option_of_a_command_before_it_gets_a_hint(lookalike, option):
    ran = lookalike(option, "x", "count")
    assert (ran.code, ran.requests) == (2, [])
    assert f"options come after the command: lookalike COMMAND ... {option}" in ran.err


def test_shared_options_may_stand_before_the_command(lookalike):
    answers = {"count": COUNT}
    ran = lookalike("--url", "http://host", "--json", "count", answers=answers)
    assert ran.document["count"] == 3
    assert ran.requests[0].url.host == "host"
    later = lookalike("--url", "http://host", "count", "--url", "http://other", answers=answers)
    assert later.requests[0].url.host == "other"


def test_a_path_outside_of_the_roots_is_explained(lookalike, tmp_path):
    outside = "the path is outside of the image roots"
    answers = {"train": problem(403, "forbidden", outside), "info": INFO}
    roots = f"error: {outside}; image roots: photos, cards; --upload sends files of this machine"
    ran = lookalike("train", str(tmp_path), answers=answers)
    assert ran.code == 4
    assert roots in ran.err
    ran = lookalike("train", "/nowhere/at-all", answers=answers)
    assert f"error: {outside}; there is no /nowhere/at-all on this machine" in ran.err
    far = lookalike("train", "/nowhere/at-all", "--url", "http://far.example", answers=answers)
    assert roots in far.err


def test_a_token_that_may_not_train_is_reported_as_the_service_says(lookalike, tmp_path):
    answers = {
        "train": problem(403, "forbidden", "the token 'x' does not have the scope train"),
        "info": {**INFO, "scopes": ["search"]},
    }
    ran = lookalike("train", str(tmp_path), answers=answers)
    assert (ran.code, ran.err) == (
        4,
        "error: the token 'x' does not have the scope train [403 forbidden]\n",
    )


@pytest.mark.parametrize("scopes", [[], ["search", "train"]])
def test_a_file_that_the_service_may_not_read_is_reported(lookalike, tmp_path, scopes):
    detail = "the service may not read this file; change its permissions"
    answers = {"train": problem(403, "forbidden", detail), "info": {**INFO, "scopes": scopes}}
    assert f"error: {detail}; " in lookalike("train", str(tmp_path), answers=answers).err


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_name_that_the_output_cannot_encode_is_escaped(image, options):
    page = {"images": [image(source="Müller😀.jpg")], "next_cursor": None}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=page))
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    around = Surroundings(io.BytesIO(), out, io.StringIO(), transport)
    assert run(("images", *options), around) == 0
    assert b"M\\u00fcller\\ud83d\\ude00.jpg" in out.buffer.getvalue()


def test_a_misspelt_command_gets_a_suggestion(lookalike):
    assert "Did you mean 'search'? See lookalike --help" in lookalike("serch").err


def test_every_error_has_a_code():
    def kinds(kind):
        return [kind, *(one for below in kind.__subclasses__() for one in kinds(below))]

    for kind in kinds(errors.ApiError):
        error = kind(kind.known_status or 418, kind.known_code or "x", "d")
        assert code_of(error) in (Code.UNAVAILABLE, Code.REJECTED)
    assert code_of(errors.UsageError("x")) is Code.USAGE
    assert code_of(errors.ConnectError("x")) is Code.UNAVAILABLE
    assert code_of(errors.TimeoutExceeded("x")) is Code.UNAVAILABLE
    assert code_of(errors.UnexpectedAnswer("x")) is Code.UNAVAILABLE


def test_a_token_comes_from_a_file(lookalike, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    ran = lookalike("count", "--token-file", str(tmp_path / "token"), answers={"count": COUNT})
    assert ran.out == "3\n"
    assert ran.requests[0].headers["authorization"] == "Bearer s3cret"


def test_the_environment_sets_address_and_token(lookalike, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_URL", "http://shop.example:9")
    monkeypatch.setenv("LOOKALIKE_TOKEN", "s3cret")
    ran = lookalike("count", "--json", answers={"count": COUNT})
    assert ran.document == COUNT
    assert str(ran.requests[0].url).startswith("http://shop.example:9/api/v2/count")
    assert ran.requests[0].headers["authorization"] == "Bearer s3cret"


def test_options_replace_variables_that_cannot_be_used(lookalike, monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKALIKE_TIMEOUT", "abc")
    monkeypatch.setenv("LOOKALIKE_TOKEN", "s\u20accret")
    (tmp_path / "token").write_text("s3cret\n")
    options = ["--timeout", "5", "--token-file", str(tmp_path / "token")]
    ran = lookalike("count", *options, answers={"count": COUNT})
    assert (ran.code, ran.out) == (0, "3\n")
    for one, named in ((options[2:], "LOOKALIKE_TIMEOUT"), (options[:2], "the token")):
        ran = lookalike("count", *one, answers={"count": COUNT})
        assert (ran.code, ran.requests) == (2, [])
        assert named in ran.err


def test_ctrl_c_has_its_own_exit_code(lookalike):
    ran = lookalike("count", answers={"count": KeyboardInterrupt()})
    assert (ran.code, ran.out, ran.err) == (130, "", "")


def test_every_command_has_json_and_the_options_of_the_connection(lookalike, capsys):
    commands = ["train", "process", "count", "search", "delete", "compare", "duplicates", "info"]
    groups = ["images", "images show", "jobs", "jobs follow", "collections", "collections create"]
    for command in [*commands, *groups]:
        assert lookalike(*command.split(), "--help").code == 0
        printed = capsys.readouterr().out
        for option in ("--json", "--url", "--token-file", "--timeout"):
            assert option in printed, command


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
