"""Settings read from the environment, and the errors of wrong ones."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from bento_service.settings import ImageRoot, Settings, SettingsError
from tests.settings.reading import read


def test_the_defaults_serve_only_this_machine_and_no_folders():
    settings = Settings.from_environment({})
    assert settings.data_dir == Path(__file__).parents[2] / "data"
    assert (settings.host, settings.port) == ("127.0.0.1", 8001)
    assert settings.image_roots == ()
    assert settings.max_upload_bytes == 64 * 1024 * 1024
    assert settings.max_request_bytes == 1024 * 1024 * 1024
    assert settings.max_pixels == 50_000_000
    assert settings.max_jpeg_pixels == 100_000_000
    assert settings.memory_of_decoder == 20 * 50_000_000 + 128 * 1024 * 1024
    assert settings.most_decoders == settings.threads + 1
    assert settings.retry_hours == 24
    assert settings.descriptor == "vgg16-rmac4"
    assert (settings.engine, settings.precision) == ("auto", "auto")


def test_watched_roots_are_returned_with_their_collections(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    roots = f"{tmp_path}/a:{tmp_path}/b"
    known = [ImageRoot(name, tmp_path / name) for name in ("a", "b", "2024:05", "c=d")]

    def watched(items):
        pairs = read(IMAGE_ROOTS=roots, WATCH=items).watched(known)
        return [(root.name, collection) for root, collection in pairs]

    assert watched("a:b=cats") == [("a", "default"), ("b", "cats")]
    assert watched(r"2024\:05=cats:c=d:c=d=dogs") == [
        ("2024:05", "cats"),
        ("c=d", "default"),
        ("c=d", "dogs"),
    ]
    with pytest.raises(SettingsError, match=r"'c'.*a, b"):
        watched("c=cats")


def test_every_setting_is_read_from_the_environment(tmp_path):
    settings = read(
        HOST="0.0.0.0",  # noqa: S104 - read, not bound
        PORT="9000",
        DATA_DIR=str(tmp_path / "data"),
        IMAGE_ROOTS=str(tmp_path),
        STORAGE="s3://bucket/prefix",
        CATALOGUE_URL="postgresql://db/lookalike",
        MILVUS_URI="https://milvus:19530",
        MILVUS_TOKEN="root:Milvus",  # noqa: S106
        MILVUS_CA=__file__,
        MILVUS_CERTIFICATE=__file__,
        MILVUS_KEY=__file__,
        TOKENS="ci search token",
        TOKENS_FILE="tokens",
        ALLOW_ANONYMOUS="1",
        FIRST_TOKEN="1",  # noqa: S106
        TRUSTED_PROXIES="127.0.0.1, ::1, 10.1.2.0/24",
        CORS_ORIGINS="https://one.example, http://two.example:81",
        REQUESTS_PER_SECOND="2.5",
        TLS_CERTIFICATE="chain.pem",
        TLS_KEY="key.pem",
        INDEX="hnsw",
        INDEX_EFFORT="200",
        DESCRIPTOR="vgg16-mac",
        ENGINE="onnxruntime",
        PRECISION="fp32",
        THREADS="3",
        MAX_UPLOAD_BYTES="10",
        MAX_REQUEST_BYTES="20",
        MAX_JSON_BYTES="25",
        REQUESTS_IN_FLIGHT="26",
        EVENT_STREAMS="27",
        HEAD_SECONDS="2",
        BODY_SECONDS="3.5",
        REQUEST_SECONDS="4",
        URLS="1",
        URL_HOSTS=".Example.org, shop.example",
        URL_PORTS="80, 8080",
        URL_NETWORKS="10.1.2.0/24, fd00::/8",
        URL_SECONDS="2.5",
        MAX_PIXELS="30",
        MAX_JPEG_PIXELS="31",
        DECODERS="7",
        DECODER_SECONDS="2.5",
        DECODER_MEMORY_BYTES="6000",
        MAX_ARCHIVE_MEMBERS="40",
        MAX_ARCHIVE_BYTES="50",
        MAX_ARCHIVE_RATIO="60",
        WATCH=f"{tmp_path.name}=cats",
        WATCH_PRUNE="yes",
        WATCH_POLL_SECONDS="1.5",
        LOG_LEVEL="Debug",
        LOG_FORMAT="JSON",
        RETRY_HOURS="1.5",
    )
    assert settings.model_dump() == {
        "host": "0.0.0.0",  # noqa: S104
        "port": 9000,
        "data_dir": tmp_path / "data",
        "image_roots": ({"path": tmp_path, "name": None},),
        "storage": "s3://bucket/prefix",
        "catalogue_url": "postgresql://db/lookalike",
        "milvus_uri": "https://milvus:19530",
        "milvus_token": "root:Milvus",
        "milvus_ca": Path(__file__),
        "milvus_certificate": Path(__file__),
        "milvus_key": Path(__file__),
        "tokens": "ci search token",
        "tokens_file": Path("tokens"),
        "allow_anonymous": True,
        "first_token": True,
        "trusted_proxies": tuple(map(ip_network, ("127.0.0.1/32", "::1/128", "10.1.2.0/24"))),
        "cors_origins": ("https://one.example", "http://two.example:81"),
        "requests_per_second": 2.5,
        "tls_certificate": Path("chain.pem"),
        "tls_key": Path("key.pem"),
        "index": "hnsw",
        "index_effort": 200,
        "descriptor": "vgg16-mac",
        "engine": "onnxruntime",
        "precision": "fp32",
        "threads": 3,
        "max_upload_bytes": 10,
        "max_request_bytes": 20,
        "max_json_bytes": 25,
        "requests_in_flight": 26,
        "event_streams": 27,
        "head_seconds": 2.0,
        "body_seconds": 3.5,
        "request_seconds": 4.0,
        "urls": True,
        "url_hosts": (".example.org", "shop.example"),
        "url_ports": (80, 8080),
        "url_networks": (ip_network("10.1.2.0/24"), ip_network("fd00::/8")),
        "url_seconds": 2.5,
        "max_pixels": 30,
        "max_jpeg_pixels": 31,
        "decoders": 7,
        "decoder_seconds": 2.5,
        "decoder_memory_bytes": 6000,
        "max_archive_members": 40,
        "max_archive_bytes": 50,
        "max_archive_ratio": 60,
        "watch": (f"{tmp_path.name}=cats",),
        "watch_prune": True,
        "watch_poll_seconds": 1.5,
        "log_level": "debug",
        "log_format": "json",
        "retry_hours": 1.5,
    }
    assert settings.catalogue == "postgresql://db/lookalike"
    assert settings.milvus == "https://milvus:19530"


def test_jobs_leave_one_decoder_to_searches():
    assert (read(THREADS="4").most_decoders, read(THREADS="4").ingest_decoders) == (5, 4)
    assert (read(DECODERS="3").most_decoders, read(DECODERS="3").ingest_decoders) == (3, 2)
    assert (read(DECODERS="1").most_decoders, read(DECODERS="1").ingest_decoders) == (1, 1)


def test_a_decoder_must_have_memory_for_the_largest_picture():
    assert read(MAX_PIXELS="1000", DECODER_MEMORY_BYTES="20000").memory_of_decoder == 20_000
    with pytest.raises(SettingsError, match="LOOKALIKE_MAX_PIXELS may take 20000"):
        read(MAX_PIXELS="1000", DECODER_MEMORY_BYTES="19999")


def test_approximate_index_types_are_refused_for_milvus_lite():
    with pytest.raises(SettingsError, match="LOOKALIKE_MILVUS_URI"):
        read(INDEX="hnsw")
    assert read(INDEX="flat").index == "flat"
    assert read(INDEX="hnsw", MILVUS_URI="http://milvus:19530").index == "hnsw"


def test_the_docstring_of_the_module_names_every_setting():
    import bento_service.settings as module

    for name in Settings.model_fields:
        assert f"LOOKALIKE_{name.upper()} " in module.__doc__


def test_all_written_data_is_in_the_data_folder(tmp_path):
    settings = read(DATA_DIR=str(tmp_path / "data"))
    assert settings.catalogue == f"sqlite:///{tmp_path}/data/catalogue.db"
    assert settings.milvus == f"{tmp_path}/data/milvus.db"
    assert settings.uploads_dir == tmp_path / "data" / "uploads"


def test_a_relative_path_is_refused_outside_of_a_checkout(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    for values in (
        {"DATA_DIR": "here"},
        {"IMAGE_ROOTS": f"{tmp_path}/here:here"},
        {"MILVUS_URI": "milvus.db"},
        {"CATALOGUE_URL": "sqlite:///catalogue.db?timeout=5"},
        {"TOKENS_FILE": "tokens"},
        {"TLS_CERTIFICATE": "chain.pem", "TLS_KEY": "key.pem"},
    ):
        with pytest.raises(SettingsError, match=f"LOOKALIKE_{next(iter(values))} is .*, and rela"):
            read(**values)
    assert read(CATALOGUE_URL=f"sqlite:///{tmp_path}/c.db", MILVUS_URI=f"{tmp_path}/m.db")
    assert read(CATALOGUE_URL="sqlite:///:memory:", MILVUS_URI="http://milvus:19530")


def test_data_in_a_bento_is_refused(tmp_path):
    (tmp_path / "bento.yaml").touch()
    for values in (
        {"DATA_DIR": f"{tmp_path}/src/data"},
        {"MILVUS_URI": f"{tmp_path}/milvus.db"},
        {"CATALOGUE_URL": f"sqlite:///{tmp_path}/c.db"},
    ):
        with pytest.raises(SettingsError, match=f"lies in the Bento {tmp_path}; give"):
            read(**values)


def test_an_empty_value_counts_as_unset():
    assert read(PORT="", DATA_DIR="", IMAGE_ROOTS="", MILVUS_URI="").port == 8001


def test_the_error_for_a_misspelt_name_suggests_the_right_one():
    with pytest.raises(SettingsError, match="did you mean LOOKALIKE_IMAGE_ROOTS"):
        read(IMAGE_ROOT="/srv")


def test_the_error_for_an_unknown_name_says_to_remove_it():
    with pytest.raises(SettingsError, match="LOOKALIKE_QQQQ is not a setting; remove it"):
        read(QQQQ="1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("THREADS", "0"),
        ("THREADS", "many"),
        ("MAX_UPLOAD_BYTES", "-1"),
        ("MAX_REQUEST_BYTES", "1 GiB"),
        ("MAX_PIXELS", "1.5"),
        ("RETRY_HOURS", "-1"),
        ("RETRY_HOURS", "nan"),
        ("MILVUS_URI", "milvus:19530"),
        ("MILVUS_URI", "/srv/index"),
    ],
)
def test_the_error_for_an_invalid_value_names_it(name, value):
    with pytest.raises(SettingsError) as caught:
        read(**{name: value})
    assert f"LOOKALIKE_{name}" in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("uri", ["http://milvus:19530", "https://u:p@host", "/srv/x.db", "x.db"])
def test_milvus_is_a_server_or_a_file_with_a_name_that_pymilvus_accepts(uri):
    assert read(MILVUS_URI=uri).milvus == uri


@pytest.mark.parametrize(
    "value", ["s3://", "S3://bucket", "simplecache::s3://bucket", "s3://b?x=1"]
)
def test_storage_is_a_folder_or_an_address(value):
    with pytest.raises(SettingsError, match=r"STORAGE.*give a folder, or an address"):
        read(STORAGE=value)
    assert read(STORAGE="s3://bucket").has_object_storage
    assert not read(STORAGE="/srv/uploads").has_object_storage


def test_all_errors_are_reported_at_once():
    with pytest.raises(SettingsError, match=r"PORT.*THREADS"):
        read(PORT="x", THREADS="y")


def test_settings_of_the_client_are_ignored():
    settings = read(URL="http://host", TOKEN="t1", TIMEOUT="5")  # noqa: S106
    assert settings == Settings.from_environment({})


def test_variables_of_other_programs_are_ignored():
    assert Settings.from_environment({"PORT": "x", "HOME": "/root"}).port == 8001


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Settings.from_environment({}).port = 1
