"""A model's folder outside of BentoML's store: the same files, and one with the model's tag."""

from pathlib import Path

TAG_FILE = "model_tag.txt"
"""Names the model; it is written last, so that a folder that has it is whole."""


def read_tag(folder: Path) -> str:
    """The tag of an exported model.

    Raises:
        FileNotFoundError: There is none.
    """
    return (folder / TAG_FILE).read_text().strip()
