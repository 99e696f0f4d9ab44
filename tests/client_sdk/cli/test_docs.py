"""docs/cli.md says what is so: its lines run, its tables are whole."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from client_sdk import Client
from client_sdk.cli.codes import Code

TEXT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
SECTIONS = {
    section.partition("\n")[0]: re.findall(r"^\$ (lookalike .*|cat .*)$", section, re.MULTILINE)
    for section in TEXT.split("\n## ")[1:]
}
RUN = ["Train", "Search", "Compare", "Images and metadata", "Delete", "Collections", "Evaluate"]


@pytest.fixture(scope="module")
def story(shell, server, photographs):
    """Every line of the document, run in its order; what came of it."""
    here = Path(shell("pwd").stdout.strip())
    holidays = server.images / "holidays"
    shutil.copytree(photographs, holidays)
    shutil.copy(photographs / "chelsea.jpg", here / "cat.jpg")
    (here / "shots").mkdir()
    with Image.open(photographs / "coins.jpg") as coins:
        ImageOps.mirror(coins).save(here / "shots" / "new.png")
    for label, names in {"cup": ("coffee", "coins"), "sky": ("rocket", "astronaut")}.items():
        (here / "labelled" / label).mkdir(parents=True)
        for name in names:
            shutil.copy(photographs / f"{name}.jpg", here / "labelled" / label)
    ran = {}
    first = "1"
    for section in RUN:
        for line in SECTIONS[section]:
            ran[section, line] = shell(
                re.sub(r"\b(id:|show |set |get )1\b", rf"\g<1>{first}", line)
            )
            if first == "1":
                first = shell("lookalike images -c trips -n 1 | cut -f1").stdout.strip()
    yield ran
    shutil.rmtree(holidays)
    with Client(server.url) as client:
        client.delete_collection("trips")


@pytest.mark.parametrize("section", RUN)
def test_every_line_runs(story, section):
    lines = [line for of, line in story if of == section]
    assert lines
    for line in lines:
        assert story[section, line].returncode == 0, (line, story[section, line].stderr)


def test_every_section_with_lines_is_run():
    assert [section for section, lines in SECTIONS.items() if lines] == RUN


def test_every_exit_code_is_told():
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)}
    assert told == {int(code) for code in Code}
