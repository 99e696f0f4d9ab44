"""Default and forbidden locations of the folders that the service writes to.

BentoML runs a served Bento with the Bento's own folder as working directory. A relative path would
lead into that Bento: the next Bento would not find the data, and an export would pack it.
"""

import os
from collections.abc import Mapping
from pathlib import Path, PurePath

CODE = Path(__file__).resolve().parents[2]
"""The folder that holds the packages: a checkout, the sources in a Bento, or site-packages."""
CONTAINER_DATA = Path("/data")
_CONTAINER_MARK = "BENTOML_CONTAINERIZED"  # set in every container image that BentoML makes
_PACKAGES = ("bento_service", "client_sdk", "model_build")


def default_data_dir(
    environment: Mapping[str, str], *, code: Path = CODE, container_data: Path = CONTAINER_DATA
) -> Path:
    """Return the data folder for an environment that does not name one.

    The environment marks containers and names the user's folders.

    Raises:
        ValueError: The environment has no place for data.
    """
    if _is_checkout(code):
        return code / "data"
    if _CONTAINER_MARK in environment:
        if not os.access(container_data, os.W_OK | os.X_OK):
            raise ValueError(
                f"this container has no folder {container_data} that user {os.getuid()} may write "
                "to; mount a volume there, or name one in LOOKALIKE_DATA_DIR"
            )
        return container_data
    # The XDG specification ignores relative values.
    for name, below in (("XDG_DATA_HOME", "lookalike"), ("HOME", ".local/share/lookalike")):
        if Path(environment.get(name, "")).is_absolute():
            return Path(environment[name], below)
    raise ValueError("LOOKALIKE_DATA_DIR is not set and there is no HOME; name a folder in it")


def model_folder(
    given: str | PurePath | None = None, environment: Mapping[str, str] = os.environ
) -> Path:
    """Return the folder of an exported model: as given, else `LOOKALIKE_MODEL`, else in the cache.

    Services in the process of a caller use it; a server has the model in BentoML's store.
    """
    if named := given or environment.get("LOOKALIKE_MODEL"):
        return Path(named)
    cache = environment.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "lookalike" / "model"


def check_absolute(name: str, path: Path, *, code: Path = CODE) -> None:
    """Raise `ValueError` for a relative path, unless the working directory is the checkout."""
    if not path.is_absolute() and not (_is_checkout(code) and Path.cwd() == code):
        raise ValueError(
            f"{name} is {path}, and relative paths are only valid in the folder of the checkout; "
            "give a path that begins with /"
        )


def check_outside_code(name: str, path: Path, *, code: Path = CODE) -> None:
    """Raise `ValueError` for a path in a Bento or a package, which are built and deleted."""
    full = path.resolve()
    folders = (full, *full.parents)
    bento = next((folder for folder in folders if (folder / "bento.yaml").is_file()), None)
    if bento is not None:
        raise ValueError(
            f"{name} is {path}, which lies in the Bento {bento}; give a folder outside of it, "
            "because data in a Bento is exported and deleted with the Bento"
        )
    if any(full.is_relative_to(code / package) for package in _PACKAGES):
        raise ValueError(f"{name} is {path}, which lies in the program's code; give another folder")


def _is_checkout(code: Path) -> bool:
    return (code / "pyproject.toml").is_file()
