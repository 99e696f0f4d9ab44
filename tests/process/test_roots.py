"""`make run IMAGES=/folder` with folders of any name, one after the other, over one data folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.support.waiting import wait_until

PROJECT = Path(__file__).parents[2]
HARD = [
    "My Photos",
    "2024:05 trip",
    "Bücher & Co",
    "a$HOME $(shell touch made) $$ `touch made`",
    'it\'s "quoted" #1',
    "back\\slash\\",
    "; touch made | *?[a]",
    "-n",
    "%a=b",
    "new\nline",
]
SHOWS = f"""#!{sys.executable}
import json, os, sys
if sys.argv[1] == "-c":
    exec(sys.argv[2])  # make asks for the version
else:
    print(json.dumps([sys.argv[1:], os.environ["BENTOML_HOME"]]))
"""


@pytest.fixture
def checkout(tmp_path):
    """Return the real Makefile, with a Python that only shows how it was called."""
    folder = tmp_path / "check out"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "requirements").mkdir()
    shutil.copy(PROJECT / "Makefile", folder)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(SHOWS)
    python.chmod(0o755)
    for name in ("uv", "run"):
        (folder / "requirements" / f"{name}.txt").touch()
        (folder / ".venv" / f"{name}.stamp").touch()
    return folder


def make_run(checkout, *words, **environment):
    kept = {name: text for name, text in os.environ.items() if name != "BENTOML_HOME"}
    done = subprocess.run(
        ["make", "--no-print-directory", "run", *words],
        cwd=checkout,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not list(checkout.rglob("made"))
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", HARD)
def test_make_hands_on_a_folder_of_any_name_as_it_was_written(checkout, name):
    for given in (f"/x/{name}", name):
        expected = ["-m", "bento_service", f"--images={given}"]
        assert make_run(checkout, f"IMAGES={given}")[0] == expected
        assert make_run(checkout, IMAGES=given)[0] == expected


def test_without_a_folder_make_names_none(checkout):
    assert make_run(checkout)[0] == ["-m", "bento_service"]
    assert make_run(checkout, "IMAGES=")[0] == ["-m", "bento_service"]


def test_the_data_folder_may_have_spaces(checkout):
    assert make_run(checkout)[1] == f"{checkout}/data/bentoml"
    assert make_run(checkout, LOOKALIKE_DATA_DIR="My Data")[1] == f"{checkout}/My Data/bentoml"
    assert make_run(checkout, LOOKALIKE_DATA_DIR="/My Data")[1] == "/My Data/bentoml"


def test_two_cards_with_a_folder_of_the_same_name_are_both_kept_and_shown_later(
    new_server, tmp_path
):
    server = new_server()
    environment = {k: v for k, v in server.environment.items() if k != "LOOKALIKE_IMAGE_ROOTS"}
    cards = [tmp_path / f"{name} 2024:05 $x & #1" / "My photos" for name in ("one", "two")]
    for number, card in enumerate(cards):
        card.mkdir(parents=True)
        for at in range(12):
            colour = (20 * at, 120 * number, 60)
            Image.new("RGB", (40, 30), colour).save(card / f"IMG_{at:04}.png")
    log = tmp_path / "log"

    def run(look, *words):
        """Start by `make run`, wait until `look` gives something, and stop."""
        command = ["make", "-o", ".venv/run.stamp", "run", *words]
        with log.open("ab") as file:
            process = subprocess.Popen(
                command, cwd=PROJECT, env=environment, stdout=file, stderr=file
            )
        try:
            found = wait_until(
                lambda: process.poll() is not None or (server.is_ready() and look()),
                seconds=300,
                pause=0.2,
                message=lambda: log.read_text()[-4000:],
            )
            assert process.poll() is None, log.read_text()[-4000:]
            return found
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            server.kill()

    def ask(path):
        return httpx.get(f"{server.url}/api/v2/{path}", timeout=60)

    def trained(count):
        def look():
            job = ask("process").json()
            is_done = (job["state"], job["done"]) == ("completed", 12)
            return job if is_done and ask("count").json()["count"] == count else None

        return look

    def shown():
        images = ask("images?limit=100").json()["images"]
        codes = [ask(f"images/{one['id']}/thumbnail").status_code for one in images]
        return codes, ask("info").json()["image_roots"], images

    assert run(trained(12), f"IMAGES={cards[0]}")["indexed"] == 12
    second = run(trained(24), f"IMAGES={cards[1]}")
    assert (second["indexed"], second["removed"]) == (12, 0)
    codes, roots, images = run(shown)
    assert codes == [200] * 24
    assert roots == ["My photos", "My photos-2"]
    assert {one["sources"][0]["root"] for one in images} == set(roots)
    assert "cannot be opened" not in log.read_text()

    cards[0].rename(cards[0].with_name("away"))
    answer = run(lambda: ask(f"images/{images[0]['id']}/content"), "IMAGES=")
    assert (answer.status_code, answer.json()["code"]) == (404, "image_not_found")
    assert "image root 'My photos' cannot be opened" in answer.json()["detail"]
    assert str(tmp_path) not in answer.text
    assert "image root 'My photos' cannot be opened" in log.read_text()
