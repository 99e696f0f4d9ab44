"""The console blocks of README and docs, run in order in a clean shell, print what they show.

A command without output may print anything; every command has to succeed. Blank lines and bars of
progress do not count. `make run` goes on in the background until the next one; a page that begins
with it begins with no data.
"""

from pathlib import Path

import pytest

from tests.docs.checkout import Site
from tests.support.console import commands, difference
from tests.support.documents import PROJECT, blocks, name_of, pages
from tests.support.processes import free_port

NO_RUN = {
    "address": "the repository's address is not known here",
    "network": "it installs packages",
    "root": "it changes the system",
    "docker": "tests/deploy/test_documented.py runs it where Docker answers",
    "compose": "tests/deploy/check_compose.py runs it where Docker answers",
    "cluster": "it needs a cluster",
    "storage": "it needs object storage",
    "bento": "tests/packaging/test_bento.py builds and serves one",
    "second": "it would need a second service",
    "pictures": "it evaluates pictures of the reader's own",
    "hours": "it runs for minutes or hours",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory, models, photographs):
    site = Site(tmp_path_factory.mktemp("site"), models, photographs, free_port())
    yield site
    site.remove()


def _order(page: Path) -> tuple[bool, bool, str]:
    """Sort README and the pages that name ids of images before those that add some."""
    return page.name != "README.md", page.name != "cli.md", page.name


PAGES = [page for page in sorted(pages(), key=_order) if commands(page)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_commands_of_a_page_print_what_it_shows(site, page):
    wrong = site.run(commands(page))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", [*pages(), PROJECT / "CONTRIBUTING.md"], ids=name_of)
def test_a_block_that_does_not_run_says_why(page):
    for block in blocks(page):
        if block.language == "console" and block.words:
            known = block.words[0] == "no-run" and block.words[1] in NO_RUN
            assert known, f"line {block.line}: no-run and one of {', '.join(NO_RUN)}"


@pytest.mark.parametrize(
    ("shown", "printed", "is_same"),
    [
        (["6"], ["6"], True),
        (["6"], ["7"], False),
        (["6"], ["6", "more"], False),
        (["...", "6"], ["a", "b", "6"], True),
        (["score 0.51, ..."], ["score\t0.53, at 12:00"], True),
        (["score 0.51"], ["score 0.61"], False),
        (["a", "..."], ["a"], True),
        (["a", "b"], ["b", "a"], False),
    ],
)
def test_output_is_compared_up_to_dots_and_small_differences(shown, printed, is_same):
    assert (difference(shown, printed) is None) is is_same
