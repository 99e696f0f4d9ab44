"""Links between documents lead somewhere, and no document is left out of the index."""

import re

import pytest

from tests.support.documents import PROJECT, name_of, pages

OTHERS = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/visual-testing/README.md")
ALL = [*pages(), *(PROJECT / name for name in OTHERS)]
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(text):
    """Return the names that GitHub gives to headings."""
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head) for head in _HEADING.findall(text)]
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in plain}


def prose(page):
    return _FENCED.sub("", page.read_text("utf-8"))


def broken(page):
    found = []
    for link in _LINK.findall(prose(page)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(prose(target))):
            found.append(link)
    return found


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page):
    assert broken(page) == []


def test_a_link_to_nothing_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A head\n[a](#a-head) [b](#b) [c](page.md#a-head) [d](other.md) [e](page.md#f)"
    )
    assert broken(page) == ["#b", "other.md", "page.md#f"]


def test_the_index_names_every_page():
    named = set(_LINK.findall(prose(PROJECT / "docs" / "index.md")))
    assert {page.name for page in pages() if page.parent != PROJECT} - named == {"index.md"}


def test_the_readme_is_a_front_page():
    assert len((PROJECT / "README.md").read_text().splitlines()) <= 120
