"""Every Python snippet of README and docs runs against a real service, as it stands there.

A snippet that defines tests is run by pytest (twice: to make its baselines, and to pass), one of
unittest by Python, and any other one by itself in a folder with a few pictures.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from client_sdk import Client
from tests.support.documents import PROJECT, Block, blocks, pages
from tests.support.server import Server

CONFTEST = """
import pytest
from playwright.sync_api import sync_playwright

PAGE = '<h1>Shop</h1><p id="clock">12:00:00</p><p class="price">12.40</p>'

class Driver:
    # What the snippets use of Selenium, which the tests do not install.
    def __init__(self, page): self._page = page
    def get(self, url): self._page.goto(url)
    def get_screenshot_as_png(self): return self._page.screenshot()
    def find_element(self, by, name):
        box = self._page.locator(f"#{name}").bounding_box()
        return type("Element", (), {"rect": {key: round(box[key]) for key in box}})

@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        browser.close()

@pytest.fixture
def page(browser):
    page = browser.new_page()
    page.route("**/*", lambda route: route.fulfill(content_type="text/html", body=PAGE))
    yield page
    page.close()

@pytest.fixture
def driver(page):
    return Driver(page)
"""


def kind_of(block: Block) -> str:
    """Return what runs a snippet."""
    if "unittest.main()" in block.text:
        return "unittest"
    return "pytest" if re.search(r"^(async )?def test_", block.text, re.MULTILINE) else "python"


def snippets(language: str) -> list[Block]:
    """Return the snippets of a language, without the files of tutorials, which have commands."""
    return [
        one for page in pages() for one in blocks(page) if one.language == language and not one.file
    ]


def of_kind(kind: str) -> list[Block]:
    return [one for one in snippets("python") if kind_of(one) == kind]


@pytest.fixture
def folder(tmp_path: Path, photographs: Path) -> Path:
    """Return a folder with the pictures that snippets name."""
    shutil.copy(photographs / "chelsea.jpg", tmp_path / "cat.jpg")
    shutil.copy(photographs / "coffee.jpg", tmp_path / "coffee.jpg")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in ("rocket.jpg", "astronaut.jpg"):
        shutil.copy(photographs / name, shelf / name)
    return tmp_path


@pytest.fixture
def service(server: Server) -> Iterator[Server]:
    """The server that tests share; what snippets put into its default collection goes again."""
    with Client(server.url) as client:
        before = {image.id for image in client.images()}
        yield server
        new = [image.id for image in client.images() if image.id not in before]
        if new:
            client.delete(new)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> None:
    for name in os.environ:
        if name.startswith(("LOOKALIKE_", "PYTEST_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LOOKALIKE_MODEL", str(model_folder))


def run(service: Server, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "LOOKALIKE_URL": service.url, "PYTHONPATH": str(PROJECT), "CI": ""},
        capture_output=True,
        text=True,
        timeout=500,
    )


def write(snippet: Block, folder: Path, service: Server) -> Path:
    path = folder / f"test_{snippet.name}.py"
    path.write_text(snippet.text.replace("http://127.0.0.1:8001", service.url))
    return path


@pytest.mark.parametrize("snippet", of_kind("python"), ids=lambda one: one.name)
def test_a_snippet_runs_as_it_stands_there(snippet, folder, service):
    ran = run(service, folder, str(write(snippet, folder, service)))
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("snippet", of_kind("unittest"), ids=lambda one: one.name)
def test_a_snippet_of_unittest_passes_once_its_baselines_are_there(snippet, folder, service):
    path = write(snippet, folder, service)
    (folder / "__visual__").mkdir()
    shutil.copy(folder / "coffee.jpg", folder / "__visual__" / "cup.png")
    ran = run(service, folder, str(path))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_snippets_of_pytest_pass_once_their_baselines_are_there(chromium, folder, service):
    (folder / "conftest.py").write_text(CONFTEST)
    written = [write(one, folder, service) for one in of_kind("pytest")]
    assert written
    plugin = ("-m", "pytest", "-p", "client_sdk.testing.plugin", *map(str, written))

    first = run(service, folder, *plugin, "--visual-update")
    second = run(service, folder, *plugin)

    assert "baselines to review" in first.stdout
    assert second.returncode == 0, first.stdout + second.stdout + second.stderr


@pytest.mark.parametrize("snippet", snippets("yaml"), ids=lambda one: one.name)
def test_a_file_of_settings_can_be_read(snippet):
    assert isinstance(yaml.safe_load(snippet.text), dict | list)
