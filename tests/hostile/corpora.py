"""Broken pictures that others have collected: Pillow's test images and libpng's."""

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import PIL

from tests.hostile.made import Input

CACHE = Path(__file__).parents[2] / ".cache" / "hostile"
_LIBPNG = "contrib/pngsuite/", "contrib/testpngs/"
_MAX_BYTES = 32 * 2**20


def pillow() -> Iterator[Input]:
    """Yield the images of Pillow's own tests, fuzzers' finds and bombs among them.

    Raises:
        subprocess.CalledProcessError: Its sources cannot be fetched.
    """
    source = f"pillow-{PIL.__version__}.tar.gz"
    if not (CACHE / source).exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        wanted = ["--no-deps", "--no-binary", ":all:", f"pillow=={PIL.__version__}"]
        # It prepares a build as well, which takes minutes.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(CACHE)]
        subprocess.run([*command, *wanted], check=True, timeout=120)
    yield from _in_archive(CACHE / source, ("Tests/images/",))


def libpng() -> Iterator[Input]:
    """Yield the PNGs of libpng's tests; nothing where its sources are not in the cache."""
    for source in sorted(CACHE.glob("libpng*.orig.tar.*")):
        yield from _in_archive(source, _LIBPNG)


def _in_archive(source: Path, folders: tuple[str, ...]) -> Iterator[Input]:
    with tarfile.open(source) as archive:
        for member in archive:
            _, _, path = member.name.partition("/")
            if member.isfile() and path.startswith(folders) and member.size <= _MAX_BYTES:
                file = archive.extractfile(member)
                assert file is not None
                yield Input(path, file.read())
