"""The settings, read once from the environment and checked.

`python .ci/settings_page.py` writes these descriptions into docs/settings.md.

LOOKALIKE_HOST            IP address to listen on, or localhost (127.0.0.1)
LOOKALIKE_PORT            port to listen on (8001)
LOOKALIKE_DATA_DIR        folder of everything that is written (data in a checkout, else the user's)
LOOKALIKE_IMAGE_ROOTS     folders or addresses to index by path, or `name=/folder`, by `:` (none)
LOOKALIKE_STORAGE         folder or address, `s3://bucket/prefix`, of uploads (in the data folder)
LOOKALIKE_CATALOGUE_URL   SQLAlchemy URL of the catalogue (SQLite in the data folder)
LOOKALIKE_MILVUS_URI      file of Milvus Lite, or URL of a server (a file in the data folder)
LOOKALIKE_MILVUS_TOKEN    `user:password` or API key of a Milvus server (none)
LOOKALIKE_MILVUS_CA       file of the authorities that may vouch for a Milvus server (the usual)
LOOKALIKE_MILVUS_CERTIFICATE  file of the certificate that is shown to a Milvus server (none)
LOOKALIKE_MILVUS_KEY      file of its private key (none)
LOOKALIKE_TOKENS          callers, `NAME SCOPES TOKEN`, separated by `;` (none)
LOOKALIKE_TOKENS_FILE     file of more callers, one a line; read again when it changes (none)
LOOKALIKE_ALLOW_ANONYMOUS 1: without tokens, answer everybody, also other machines (0)
LOOKALIKE_FIRST_TOKEN     1: without the three above, make a token for the page and callers (0)
LOOKALIKE_TRUSTED_PROXIES proxies whose X-Forwarded-* are believed, `127.0.0.1,10.1.2.0/24` (none)
LOOKALIKE_CORS_ORIGINS    other sites whose pages may call, separated by commas (none)
LOOKALIKE_REQUESTS_PER_SECOND  requests a second of one caller, on average (any number)
LOOKALIKE_TLS_CERTIFICATE file of the certificate chain, for HTTPS (none)
LOOKALIKE_TLS_KEY         file of its private key (none)
LOOKALIKE_INDEX           flat, hnsw, ivf_sq8 or diskann, on a Milvus server (auto: by size)
LOOKALIKE_INDEX_EFFORT    how much a search looks at (hnsw 256, diskann 128, ivf_sq8 64)
LOOKALIKE_DESCRIPTOR      of new collections: vgg16-rmac4, vgg16-rgem or vgg16-mac (vgg16-rmac4)
LOOKALIKE_ENGINE          onnxruntime, openvino, torch or auto (auto: the fastest here)
LOOKALIKE_PRECISION       int8, int8_openvino, fp32, bf16 or auto (auto: the engine's fastest here)
LOOKALIKE_THREADS         cores that describe images (all that affinity and CPU quotas allow)
LOOKALIKE_MAX_UPLOAD_BYTES   largest picture in bytes (64 MiB)
LOOKALIKE_MAX_REQUEST_BYTES  largest request in bytes (1 GiB)
LOOKALIKE_MAX_PIXELS      largest picture in pixels (50 million)
LOOKALIKE_MAX_JPEG_PIXELS largest JPEG in pixels; a JPEG takes less memory a pixel (100 million)
LOOKALIKE_DECODERS        pictures that are decoded at once (one more than LOOKALIKE_THREADS)
LOOKALIKE_DECODER_SECONDS     processor time that one picture may take (3)
LOOKALIKE_DECODER_MEMORY_BYTES  memory that one may take (20 a pixel of MAX_PIXELS, and more)
LOOKALIKE_MAX_JSON_BYTES  largest body that is no form (16 MiB)
LOOKALIKE_REQUESTS_IN_FLIGHT  requests in progress at once (128)
LOOKALIKE_EVENT_STREAMS   streams of events at once (256)
LOOKALIKE_HEAD_SECONDS    time until the head of a request must have arrived (10)
LOOKALIKE_BODY_SECONDS    time that a body may fall behind 16 KiB a second (20)
LOOKALIKE_REQUEST_SECONDS time until an answer must have begun (600)
LOOKALIKE_URLS            1: search with pictures from URLs that callers name (0)
LOOKALIKE_URL_HOSTS       only these hosts are fetched from, `.example.org` for all below it (any)
LOOKALIKE_URL_PORTS       only these ports are fetched from (80,443)
LOOKALIKE_URL_NETWORKS    private networks that may be fetched from, `10.1.2.0/24` (none)
LOOKALIKE_URL_SECONDS     time until such a picture must have arrived (10)
LOOKALIKE_MAX_ARCHIVE_MEMBERS  most files in the archives of one request (20,000)
LOOKALIKE_MAX_ARCHIVE_BYTES    most bytes that they may expand to (4 GiB)
LOOKALIKE_MAX_ARCHIVE_RATIO    most bytes that they may expand to, in times of their own size (200)
LOOKALIKE_WATCH           image roots to follow, `root` or `root=collection`, by `:` (none)
LOOKALIKE_WATCH_PRUNE     1: delete images whose files are gone from them (0)
LOOKALIKE_WATCH_POLL_SECONDS  look so often instead of being notified by the system (0: notified)
LOOKALIKE_RETRY_HOURS     time that uploads which failed are kept for a retry (24)
LOOKALIKE_LOG_LEVEL       info, or debug: with stack traces, paths and every request (info)
LOOKALIKE_LOG_FORMAT      text, or json: one object a line, also for every request (text)
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bento_service.settings.combinations import check_combinations, check_paths
from bento_service.settings.cores import usable_cores
from bento_service.settings.locations import default_data_dir
from bento_service.settings.root_list import (
    AnyImageRoot,
    ConfiguredRoot,
    ImageRoot,
    ObjectImageRoot,
    check_roots,
    folder_name,
)
from bento_service.settings.service_links import service_links
from bento_service.settings.values import (
    checked_host,
    checked_milvus_uri,
    checked_storage,
    explained,
    parsed_origins,
    parsed_roots,
    split_at_colons,
    split_at_commas,
)
from client_sdk.decoding.formats import MAX_JPEG_PIXELS, MAX_PIXELS
from client_sdk.schemas import DEFAULT_COLLECTION

__all__ = [
    "FIRST_CALLERS_FILE",
    "PREFIX",
    "AnyImageRoot",
    "ImageRoot",
    "ObjectImageRoot",
    "Settings",
    "SettingsError",
    "folder_name",
]

PREFIX = "LOOKALIKE_"
FIRST_CALLERS_FILE = "tokens"
"""The file in the data folder with the token of LOOKALIKE_FIRST_TOKEN."""
# Read only by the client, which may share the environment.
_CLIENT_NAMES = ("LOOKALIKE_URL", "LOOKALIKE_TOKEN", "LOOKALIKE_TIMEOUT", "LOOKALIKE_MODEL")
_BYTES_A_PIXEL = 20
_BYTES_BESIDE_PIXELS = 64 * 2**20
_Port = Annotated[int, Field(ge=1, le=65535)]
_Network = IPv4Network | IPv6Network


class SettingsError(Exception):
    """An invalid setting in the environment."""


class Settings(BaseModel):
    """The settings of one service; the module's docstring describes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, AfterValidator(checked_host)] = "127.0.0.1"
    port: int = Field(default=8001, ge=1, le=65535)
    data_dir: Path = Field(default_factory=lambda: default_data_dir(os.environ))
    image_roots: Annotated[tuple[ConfiguredRoot, ...], BeforeValidator(parsed_roots)] = ()
    storage: Annotated[str, AfterValidator(checked_storage)] = ""
    catalogue_url: str = ""
    milvus_uri: Annotated[str, AfterValidator(checked_milvus_uri)] = ""
    milvus_token: str = Field(default="", repr=False)
    milvus_ca: Path | None = None
    milvus_certificate: Path | None = None
    milvus_key: Path | None = None
    tokens: str = Field(default="", repr=False)
    tokens_file: Path | None = None
    allow_anonymous: bool = False
    first_token: bool = False
    trusted_proxies: Annotated[tuple[_Network, ...], BeforeValidator(split_at_commas)] = ()
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(parsed_origins)] = ()
    requests_per_second: float | None = Field(default=None, gt=0)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    index: Literal["auto", "flat", "hnsw", "ivf_sq8", "diskann"] = "auto"
    index_effort: int | None = Field(default=None, ge=1, le=16_384)
    descriptor: str = "vgg16-rmac4"
    engine: str = "auto"
    precision: str = "auto"
    threads: int = Field(default_factory=usable_cores, ge=1)
    max_upload_bytes: int = Field(default=64 * 2**20, ge=1)
    max_request_bytes: int = Field(default=2**30, ge=1)
    max_pixels: int = Field(default=MAX_PIXELS, ge=1)
    max_jpeg_pixels: int = Field(default=MAX_JPEG_PIXELS, ge=1)
    decoders: int | None = Field(default=None, ge=1)
    decoder_seconds: float = Field(default=3.0, gt=0, le=3600)
    decoder_memory_bytes: int | None = Field(default=None, ge=1)
    max_json_bytes: int = Field(default=16 * 2**20, ge=1)
    requests_in_flight: int = Field(default=128, ge=1)
    event_streams: int = Field(default=256, ge=0)
    head_seconds: float = Field(default=10.0, ge=1.0, le=600.0)
    body_seconds: float = Field(default=20.0, ge=1.0, le=600.0)
    request_seconds: float = Field(default=600.0, ge=1.0, le=7200.0)
    urls: bool = False
    url_hosts: Annotated[tuple[str, ...], BeforeValidator(split_at_commas)] = ()
    url_ports: Annotated[tuple[_Port, ...], BeforeValidator(split_at_commas)] = (80, 443)
    url_networks: Annotated[tuple[_Network, ...], BeforeValidator(split_at_commas)] = ()
    url_seconds: float = Field(default=10.0, gt=0, le=120.0)
    max_archive_members: int = Field(default=20_000, ge=1)
    max_archive_bytes: int = Field(default=4 * 2**30, ge=1)
    max_archive_ratio: int = Field(default=200, ge=1)
    watch: Annotated[tuple[str, ...], BeforeValidator(split_at_colons)] = ()
    watch_prune: bool = False
    watch_poll_seconds: float = Field(default=0.0, ge=0.0, le=86_400.0)
    log_level: Annotated[Literal["info", "debug"], BeforeValidator(str.lower)] = "info"
    log_format: Annotated[Literal["text", "json"], BeforeValidator(str.lower)] = "text"
    retry_hours: float = Field(default=24.0, ge=0, le=24 * 365)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings from an environment, by default the process's.

        Raises:
            SettingsError: A name is misspelt, a value is invalid, or an image root is neither a
                folder nor an address.
        """
        source = os.environ if environment is None else environment
        foreign = (*_CLIENT_NAMES, *service_links(source))
        values = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in source.items()
            if name.startswith(PREFIX) and name not in foreign and value != ""
        }
        _check_names(values)
        try:
            default = {} if "data_dir" in values else {"data_dir": default_data_dir(source)}
            settings = cls.model_validate(values | default)
            check_paths(settings)
            check_combinations(settings)
            check_roots(settings.image_roots)
        except ValidationError as error:
            raise SettingsError(
                "; ".join(explained(each, PREFIX) for each in error.errors())
            ) from error
        except ValueError as error:
            raise SettingsError(str(error)) from error
        made = {"data_dir": settings.data_dir.absolute()}
        if settings.first_token and not (
            settings.tokens or settings.tokens_file or settings.allow_anonymous
        ):
            made["tokens_file"] = made["data_dir"] / FIRST_CALLERS_FILE
        return settings.model_copy(update=made)

    @property
    def most_decoders(self) -> int:
        """The number of decoder processes."""
        return self.decoders or self.threads + 1

    @property
    def ingest_decoders(self) -> int:
        """The number of decoders that jobs may use at once, without one for other requests."""
        return max(1, self.most_decoders - 1)

    @property
    def least_decoder_memory(self) -> int:
        """The memory in bytes that the largest picture of the worst format needs."""
        return _BYTES_A_PIXEL * self.max_pixels

    @property
    def memory_of_decoder(self) -> int:
        """The memory in bytes that a decoder may use for one picture."""
        if self.decoder_memory_bytes is not None:
            return self.decoder_memory_bytes
        return self.least_decoder_memory + self.max_upload_bytes + _BYTES_BESIDE_PIXELS

    def watched(self, roots: Iterable[AnyImageRoot]) -> tuple[tuple[AnyImageRoot, str], ...]:
        """Return the watched ones of all image roots, each with its collection.

        Raises:
            SettingsError: LOOKALIKE_WATCH names something else.
        """
        named = {root.name: root for root in roots}
        pairs = []
        for item in self.watch:
            name, collection = item, ""
            if item not in named and "=" in item:
                name, _, collection = item.rpartition("=")
            if name not in named:
                raise SettingsError(
                    f"LOOKALIKE_WATCH names {name!r}, which is not an image root; use one of: "
                    f"{', '.join(named) or 'none, set LOOKALIKE_IMAGE_ROOTS'}"
                )
            pairs.append((named[name], collection or DEFAULT_COLLECTION))
        return tuple(pairs)

    @property
    def catalogue(self) -> str:
        """The SQLAlchemy URL of the catalogue."""
        return self.catalogue_url or f"sqlite:///{self.data_dir / 'catalogue.db'}"

    @property
    def milvus(self) -> str:
        """The address that pymilvus connects to."""
        return self.milvus_uri or str(self.data_dir / "milvus.db")

    def retriable_since(self) -> datetime:
        """Return the time before which ended jobs lose their failed uploads."""
        return datetime.now(UTC) - timedelta(hours=self.retry_hours)

    @property
    def folders(self) -> dict[Path, str]:
        """The names that replace folders' paths in the log, before the catalogue is open.

        `ImageRoots.folders` has the names that the catalogue gives to image roots.
        """
        named = {self.data_dir: "data", self.data_dir.resolve(): "data"}
        for root in self.image_roots:
            if isinstance(root.path, Path):
                name = root.name or folder_name(root.path.resolve())
                named |= {root.path.absolute(): name, root.path.resolve(): name}
        return named

    @property
    def uploads_dir(self) -> Path:
        """The folder of uploaded pictures, unless they are in object storage."""
        return Path(self.storage or self.data_dir / "uploads")

    @property
    def has_object_storage(self) -> bool:
        """True if uploaded pictures are in object storage."""
        return "://" in self.storage


def _check_names(values: Mapping[str, str]) -> None:
    for name in sorted(values):
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, n=1)
            advice = f"did you mean {PREFIX}{near[0].upper()}?" if near else "remove it"
            raise SettingsError(f"{PREFIX}{name.upper()} is not a setting; {advice}")
