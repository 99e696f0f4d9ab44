"""The command against a real service, with pipes between commands."""

import shlex
from functools import partial
from uuid import uuid4

import httpx
import pytest

from client_sdk import Client
from tests.support.answers import COLLECTION


@pytest.fixture(scope="module")
def gallery(server, photographs):
    """Yield a collection that holds the six photographs; tests only read it."""
    name = f"cli-{uuid4().hex[:8]}"
    with Client(server.url, timeout=60) as client:
        client.upload(sorted(photographs.iterdir()), collection=name).wait()
        yield name
        client.collection(name).delete()


def test_a_picture_from_a_pipe_finds_itself(shell, gallery, photographs):
    ran = shell(f"lookalike search - -k 1 -c {gallery} < {photographs}/coffee.jpg")
    _, score, _, source, address = ran.stdout.rstrip("\n").split("\t")
    assert (float(score), source) == (pytest.approx(1.0, abs=1e-3), "coffee.jpg")
    assert httpx.get(address).content == (photographs / "coffee.jpg").read_bytes()


def test_a_hit_can_be_downloaded(shell, gallery, photographs):
    line = f"lookalike search {photographs}/rocket.jpg -k 1 -c {gallery} | cut -f1"
    ran = shell(f"lookalike images get $({line}) | cmp - {photographs}/rocket.jpg")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_closed_pipe_ends_a_list_without_an_error(shell, gallery):
    ran = shell(f"lookalike images -c {gallery} --json | head -c 1 > /dev/null")
    assert (ran.returncode in (0, 141), ran.stderr) == (True, "")
    ran = shell("lookalike info | true")
    assert (ran.returncode in (0, 141), ran.stderr) == (True, "")


def test_folders_are_sent_and_images_deleted_through_pipes(shell, server, photographs):
    name = f"cli-{uuid4().hex[:8]}"
    ran = shell(f"lookalike train {photographs} --upload --strict -c {name} -m shop=north")
    assert ran.returncode == 0, ran.stderr
    assert "indexed\t6" in ran.stdout
    assert shell(f"lookalike count -c {name} --filter 'shop == \"north\"'").stdout == "6\n"
    ran = shell(f"lookalike images -c {name} -n 2 | lookalike delete - -c {name}")
    assert (ran.returncode, ran.stdout) == (0, "2\n")
    assert shell(f"lookalike delete --all -y -c {name}").stdout == "4\n"
    assert shell(f"lookalike collections delete {name} -y").stdout == "0\n"
    assert shell(f"lookalike count -c {name}").returncode == 4


@pytest.fixture
def completed(shell):
    """Return a function that completes the last of some words, as bash splits them."""

    def completed(*words, url=""):
        ran = shell(
            f"{url and f'export LOOKALIKE_URL={url}; '}"
            'eval "$(lookalike --show-completion bash)"; '
            f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; "
            '_lookalike_completion lookalike; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        assert ran.stderr == ""
        return ran.stdout.split()

    return completed


def test_bash_completes_commands_options_and_names_of_collections(completed, gallery):
    assert completed("lookalike", "sea") == ["search"]
    assert completed("lookalike", "jobs", "can") == ["cancel"]
    assert completed("lookalike", "search", "--min") == ["--min-score"]
    assert completed("lookalike", "count", "-c", gallery[:6]) == [gallery]


def test_completion_asks_the_service_of_the_options(completed, gallery, server, free_port):
    nobody, quoted = f"http://127.0.0.1:{free_port}", f"'{server.url}'"
    after = ("lookalike", "count", "--url", quoted, "-c", gallery[:6])
    assert completed(*after, url=nobody) == [gallery]
    before = ("lookalike", "--url", quoted, "collections", "delete", gallery[:6])
    assert completed(*before, url=nobody) == [gallery]
    assert completed("lookalike", "count", "--url", nobody, "-c", gallery[:6]) == []


def test_completion_sends_the_token_of_the_file(lookalike, monkeypatch, tmp_path, capsys):
    (tmp_path / "token").write_text("s3cret\n")
    sent = []

    def answer(request):
        sent.append(request.headers.get("authorization"))
        return httpx.Response(200, json={"collections": [COLLECTION], "next_cursor": None})

    connected = partial(Client, transport=httpx.MockTransport(answer))
    monkeypatch.setattr("client_sdk.cli.options.Client", connected)
    for file, names in (("token", "hats"), ("gone", "")):
        words = ["lookalike", "count", "--token-file", str(tmp_path / file), "-c", ""]
        monkeypatch.setenv("_LOOKALIKE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", "5")
        with pytest.raises(SystemExit):
            lookalike("count")
        assert capsys.readouterr().out.strip() == names
    assert sent == ["Bearer s3cret"]
