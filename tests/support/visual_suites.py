"""The code of test suites that the tests of the pytest plugin run."""

from pathlib import Path

SIMILAR = """
def test_page(visual):
    visual.assert_similar(Path({picture!r}), "page"{more})
"""


def similar(picture: Path, more: str = "") -> str:
    """Return a test that compares a picture with the baseline `page`."""
    return SIMILAR.format(picture=str(picture), more=more)
