"""The command against a real service, with pipes between commands."""

from uuid import uuid4

import httpx
import pytest

from client_sdk import Client


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


def test_bash_completes_commands_options_and_names_of_collections(shell, gallery):
    def completed(words, at):
        return shell(
            'eval "$(lookalike --show-completion bash)"; '
            f"COMP_WORDS=({words}); COMP_CWORD={at}; _lookalike_completion lookalike; "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        ).stdout.split()

    assert completed("lookalike sea", 1) == ["search"]
    assert completed("lookalike jobs can", 2) == ["cancel"]
    assert completed("lookalike search --min", 2) == ["--min-score"]
    assert completed(f"lookalike count -c {gallery[:6]}", 3) == [gallery]
