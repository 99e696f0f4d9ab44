"""The files of the wheel of the service, which lie beside this folder."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES = ("bento_service", "model_build")
LEFT_OUT = ("__pycache__", "model_tag.txt")  # the tag names the model of the machine that builds


class Code(BuildHookInterface):
    """Adds both packages to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files before the wheel is built."""
        project = Path(self.root).parent
        for file in (file for package in PACKAGES for file in (project / package).rglob("*")):
            if file.is_file() and not set(file.parts).intersection(LEFT_OUT):
                build_data["force_include"][str(file)] = str(file.relative_to(project))
