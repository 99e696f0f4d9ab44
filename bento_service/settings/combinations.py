"""Checks of settings that concern several of them."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from bento_service.settings.locations import check_absolute, check_outside_code
from bento_service.settings.values import MILVUS_SCHEMES

if TYPE_CHECKING:
    from bento_service.settings import Settings

_SQLITE_FILE = re.compile(r"sqlite(?:\+\w+)?:///(?!:memory:)([^?]+)")


def check_combinations(settings: "Settings") -> None:
    """Raise `ValueError` if a setting lacks or contradicts another one."""
    is_server = settings.milvus_uri.startswith(MILVUS_SCHEMES)
    if settings.index not in ("auto", "flat") and not is_server:
        raise ValueError(
            f"LOOKALIKE_INDEX is {settings.index}, which does not make Milvus Lite faster; "
            "remove it, or name a Milvus server in LOOKALIKE_MILVUS_URI"
        )
    if settings.memory_of_decoder < settings.least_decoder_memory:
        raise ValueError(
            f"LOOKALIKE_DECODER_MEMORY_BYTES is {settings.memory_of_decoder}, but pictures of "
            f"LOOKALIKE_MAX_PIXELS may take {settings.least_decoder_memory}; raise the one or "
            "lower the other"
        )
    _check_together("TLS", settings.tls_certificate, settings.tls_key)
    _check_together("MILVUS", settings.milvus_certificate, settings.milvus_key)
    if settings.milvus_certificate and not settings.milvus_ca:
        raise ValueError("LOOKALIKE_MILVUS_CERTIFICATE needs LOOKALIKE_MILVUS_CA; set it too")
    if settings.milvus_ca and not settings.milvus_uri.startswith("https://"):
        raise ValueError("LOOKALIKE_MILVUS_CA needs a LOOKALIKE_MILVUS_URI that begins https://")
    if settings.milvus_token and not is_server:
        raise ValueError(
            "LOOKALIKE_MILVUS_TOKEN is for a Milvus server; name it in LOOKALIKE_MILVUS_URI"
        )
    for name in ("ca", "certificate", "key"):
        file: Path | None = getattr(settings, f"milvus_{name}")
        if file and not os.access(file, os.R_OK):
            raise ValueError(f"LOOKALIKE_MILVUS_{name.upper()} is {file}, which cannot be read")


def _check_together(prefix: str, certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise ValueError(
            f"LOOKALIKE_{prefix}_CERTIFICATE and LOOKALIKE_{prefix}_KEY belong together; set both "
            "or none"
        )


def check_paths(settings: "Settings") -> None:
    """Raise `ValueError` if a path is not the same in every process, or lies in the code."""
    milvus, sqlite = settings.milvus_uri, _SQLITE_FILE.match(settings.catalogue_url)
    written = {
        "DATA_DIR": settings.data_dir,
        "STORAGE": None if settings.has_object_storage else settings.storage,
        "MILVUS_URI": None if milvus.startswith(MILVUS_SCHEMES) else milvus,
        "CATALOGUE_URL": sqlite and sqlite[1],
    }
    read = {
        "TOKENS_FILE": settings.tokens_file,
        "TLS_CERTIFICATE": settings.tls_certificate,
        "TLS_KEY": settings.tls_key,
        "MILVUS_CA": settings.milvus_ca,
        "MILVUS_CERTIFICATE": settings.milvus_certificate,
        "MILVUS_KEY": settings.milvus_key,
    }
    for root in settings.image_roots:
        if isinstance(root.path, Path):
            check_absolute("LOOKALIKE_IMAGE_ROOTS", root.path)
    for name, path in (written | read).items():
        if path:
            check_absolute(f"LOOKALIKE_{name}", Path(path))
    for name, path in written.items():
        if path:
            check_outside_code(f"LOOKALIKE_{name}", Path(path))
