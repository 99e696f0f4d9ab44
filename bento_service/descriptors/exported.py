"""Model folders outside of BentoML's store: the same files, and a file with the model's tag."""

from pathlib import Path

TAG_FILE = "model_tag.txt"
"""The file with the model's tag. It is written last, so a folder that has it is complete."""


def read_tag(folder: Path) -> str:
    """Return the tag of an exported model.

    Raises:
        FileNotFoundError: The folder has no tag.
    """
    return (folder / TAG_FILE).read_text().strip()
