"""Names, codes and messages in the documents are those of the code."""

import ast
import re
import subprocess
import sys

import httpx
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from bento_service import errors
from bento_service.admin import answer, findings
from bento_service.api.http import problems
from bento_service.settings import PREFIX, Settings
from client_sdk import Client
from client_sdk.cli.codes import Code
from client_sdk.testing.values import VALUES
from tests.support.documents import PROJECT, name_of, pages

DOCS = PROJECT / "docs"
CLIENT = ("URL", "TOKEN", "TIMEOUT", "MODEL")
CODED = ("bento_service", "client_sdk")
_VARIABLE = re.compile(r"\bLOOKALIKE_[A-Z_]*[A-Z]\b")
_CODE_SPAN = re.compile(r"(`+) ?(.+?) ?\1(?!`)")


def table(page, head):
    """Return the rows of a table, as cells, by its first line."""
    rows = (DOCS / page).read_text("utf-8").partition(head)[2].partition("\n\n")[0]
    lines = rows.strip().splitlines()[1:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_settings_page_is_written_from_their_descriptions():
    command = [sys.executable, PROJECT / ".ci" / "settings_page.py", "--check"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


def test_every_setting_is_described_once():
    text = (DOCS / "settings.md").read_text("utf-8").partition("## Variables of other")[0]
    rows = re.findall(r"^\| `LOOKALIKE_(\w+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_variable_that_a_page_names_is_read_by_something(page):
    known = {name.upper() for name in Settings.model_fields} | set(CLIENT)
    known |= {f"VISUAL_{name.upper()}" for name in (*VALUES, "update")}
    named = {name.removeprefix(PREFIX) for name in _VARIABLE.findall(page.read_text("utf-8"))}
    assert named <= known


def test_every_metric_is_described_and_no_other(server):
    with Client(server.url) as client:
        client.search(Image.new("RGB", (32, 32)))
    text = httpx.get(f"{server.url}/metrics", timeout=60).text
    served = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(text)
    }
    served = {name for name in served if re.match(r"lookalike_.*(?<!_created)$", name)}
    rows = table("monitoring.md", "| metric | labels | what it counts |")
    assert {row[0].strip("`") for row in rows} == served
    labels = {
        sample.name.removesuffix("_count").removesuffix("_sum"): set(sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    }
    for name, documented, _ in rows:
        assert set(re.findall(r"`(\w+)`", documented)) == labels[name.strip("`")], name


def test_every_error_code_is_in_the_table():
    known, waiting = set(problems._CODES.values()), [errors.LookalikeError]
    while waiting:
        kind = waiting.pop()
        known.add(kind.code)
        waiting += kind.__subclasses__()
    rows = table("api.md", "| status | code |")
    documented = {code for _, cell in rows for code in re.findall(r"`([a-z_]+)`", cell)}
    assert documented == known
    for kind in errors.LookalikeError.__subclasses__():
        (status,) = (status for status, cell in rows if f"`{kind.code}`" in cell)
        assert str(kind.status) in status


def test_every_exit_code_is_in_the_tables():
    documented = [int(row[0]) for row in table("cli.md", "| code | meaning |")]
    assert documented == [int(code) for code in Code]
    documented = [int(row[0]) for row in table("admin.md", "| exit code | meaning |")]
    assert documented == [answer.CLEAN, answer.FINDINGS, answer.CANNOT_RUN]


def test_every_admin_command_is_in_the_table():
    command = [sys.executable, "-m", "bento_service.admin", "--help"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    known = set(re.findall(r"^    (\w+) ", ran.stdout, re.MULTILINE))
    rows = table("admin.md", "| command | while the service runs | what it does |")
    documented = {word for row in rows for word in re.findall(r"`(\w+)[^`]*`", row[0])}
    assert known
    assert documented == known


def messages():
    """Return every text of the code, with `...` for what is put into it."""
    texts = [(PROJECT / "Makefile").read_text("utf-8").replace(")", "")]
    texts += [kind.code for kind in findings.Kind]
    for package in CODED:
        for path in (PROJECT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(re.sub(r"%[sdr]", "...", node.value))
                elif isinstance(node, ast.JoinedStr):
                    parts = (getattr(part, "value", None) for part in node.values)
                    texts.append("".join(p if isinstance(p, str) else "..." for p in parts))
    return texts


def test_every_message_in_troubleshooting_is_one_of_the_code():
    texts = messages()
    missing = []
    for head in ("| printed | cause | fix |", "| line | meaning |"):
        for section in (DOCS / "troubleshooting.md").read_text("utf-8").split(head)[1:]:
            for row in section.partition("\n\n")[0].strip().splitlines()[1:]:
                for _, documented in _CODE_SPAN.findall(re.split(r"(?<!\\)\|", row)[1]):
                    if documented not in FOREIGN and not is_in(documented, texts):
                        missing.append(documented)
    assert not missing, missing


FOREIGN = {  # printed by others, put together, or a name
    "AssertionError",
    "CERTIFICATE_VERIFY_FAILED",
    "audit caller=- ... 401",
    "ignore",
}


def is_in(documented, texts):
    """Return true if a text contains the parts in their order."""
    parts = [part.strip() for part in documented.split("...") if part.strip()]
    pattern = re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)
    return any(pattern.search(" ".join(text.split())) for text in texts)
