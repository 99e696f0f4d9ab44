from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento_service.settings import ImageRoot, Settings, SettingsError
from bento_service.settings.root_list import ConfiguredRoot, format_roots, parse_roots


def read(**values):
    return Settings.from_environment({f"LOOKALIKE_{name}": text for name, text in values.items()})


def test_nothing_set_means_this_machine_alone_and_no_folders():
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


def test_watched_roots_are_named_with_their_collections(tmp_path):
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


def test_every_setting_has_its_name_in_the_environment(tmp_path):
    settings = read(
        HOST="0.0.0.0",  # noqa: S104 - read, not bound
        PORT="9000",
        DATA_DIR=str(tmp_path / "data"),
        IMAGE_ROOTS=str(tmp_path),
        CATALOGUE_URL="postgresql://db/lookalike",
        MILVUS_URI="http://milvus:19530",
        TOKENS="ci search token",
        TOKENS_FILE="tokens",
        ALLOW_ANONYMOUS="1",
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
        RETRY_HOURS="1.5",
    )
    assert settings.model_dump() == {
        "host": "0.0.0.0",  # noqa: S104
        "port": 9000,
        "data_dir": tmp_path / "data",
        "image_roots": ({"path": tmp_path, "name": None},),
        "catalogue_url": "postgresql://db/lookalike",
        "milvus_uri": "http://milvus:19530",
        "tokens": "ci search token",
        "tokens_file": Path("tokens"),
        "allow_anonymous": True,
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
        "retry_hours": 1.5,
    }
    assert settings.catalogue == "postgresql://db/lookalike"
    assert settings.milvus == "http://milvus:19530"


def test_one_decoder_is_left_to_searches():
    assert (read(THREADS="4").most_decoders, read(THREADS="4").ingest_decoders) == (5, 4)
    assert (read(DECODERS="3").most_decoders, read(DECODERS="3").ingest_decoders) == (3, 2)
    assert (read(DECODERS="1").most_decoders, read(DECODERS="1").ingest_decoders) == (1, 1)


def test_a_decoder_must_have_the_memory_that_the_largest_picture_takes():
    assert read(MAX_PIXELS="1000", DECODER_MEMORY_BYTES="20000").memory_of_decoder == 20_000
    with pytest.raises(SettingsError, match="LOOKALIKE_MAX_PIXELS may take 20000"):
        read(MAX_PIXELS="1000", DECODER_MEMORY_BYTES="19999")


def test_the_embedded_index_takes_no_kind_that_does_not_help_it():
    with pytest.raises(SettingsError, match="LOOKALIKE_MILVUS_URI"):
        read(INDEX="hnsw")
    assert read(INDEX="flat").index == "flat"
    assert read(INDEX="hnsw", MILVUS_URI="http://milvus:19530").index == "hnsw"


def test_the_text_of_the_module_names_every_setting():
    import bento_service.settings as module

    for name in Settings.model_fields:
        assert f"LOOKALIKE_{name.upper()} " in module.__doc__


def test_everything_that_is_written_lies_in_the_data_folder(tmp_path):
    settings = read(DATA_DIR=str(tmp_path / "data"))
    assert settings.catalogue == f"sqlite:///{tmp_path}/data/catalogue.db"
    assert settings.milvus == f"{tmp_path}/data/milvus.db"
    assert settings.uploads_dir == tmp_path / "data" / "uploads"


def test_a_relative_path_is_refused_where_the_working_folder_may_change(tmp_path, monkeypatch):
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


@pytest.mark.parametrize("host", ["localhost", "127.0.0", "*"])
def test_an_address_to_listen_on_has_to_be_an_address(host):
    with pytest.raises(SettingsError, match=r"LOOKALIKE_HOST is .* IPv4 or IPv6 address"):
        read(HOST=host)


def test_an_empty_value_is_as_good_as_none():
    assert read(PORT="", DATA_DIR="", IMAGE_ROOTS="", MILVUS_URI="").port == 8001


def test_a_misspelt_name_is_refused_with_the_right_one():
    with pytest.raises(SettingsError, match="did you mean LOOKALIKE_IMAGE_ROOTS"):
        read(IMAGE_ROOT="/srv")


def test_a_name_like_no_other_is_to_be_removed():
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
def test_a_value_that_does_not_fit_is_named(name, value):
    with pytest.raises(SettingsError) as caught:
        read(**{name: value})
    assert f"LOOKALIKE_{name}" in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("uri", ["http://milvus:19530", "https://u:p@host", "/srv/x.db", "x.db"])
def test_milvus_is_a_server_or_a_file_that_pymilvus_takes_for_one(uri):
    assert read(MILVUS_URI=uri).milvus == uri


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(SettingsError, match=r"PORT.*THREADS"):
        read(PORT="x", THREADS="y")


def test_the_clients_names_are_not_the_services_concern():
    settings = read(URL="http://host", TOKEN="t1", TIMEOUT="5")  # noqa: S106
    assert settings == Settings.from_environment({})


def test_other_programs_names_are_left_alone():
    assert Settings.from_environment({"PORT": "x", "HOME": "/root"}).port == 8001


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Settings.from_environment({}).port = 1


def test_an_image_root_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for missing in ("file", "nowhere"):
        with pytest.raises(SettingsError, match=f"{missing}, which is not a folder"):
            read(IMAGE_ROOTS=str(tmp_path / missing))


def test_roots_can_have_any_path_and_be_named(tmp_path):
    names = ["My Photos", "2024:05 trip", "Bücher & $Co", 'it\'s "q" #1', "a=b", "back\\slash"]
    for name in names:
        (tmp_path / name).mkdir()
    value = ":".join(f"{tmp_path}/{name}".replace(":", r"\:") for name in names)
    roots = read(IMAGE_ROOTS=rf"{value}:a\:b=c={tmp_path}").image_roots
    assert [root.path for root in roots] == [*(tmp_path / name for name in names), tmp_path]
    assert [root.name for root in roots] == [*(None for _ in names), "a:b=c"]
    assert parse_roots(format_roots(roots)) == roots


@given(
    st.lists(
        st.builds(
            ConfiguredRoot,
            st.text(alphabet="ab \\:=", min_size=1).map(lambda name: Path("/", name)),
            st.none() | st.text(alphabet="ab \\:=", min_size=1).filter(lambda n: "=/" not in n),
        )
    ).map(tuple)
)
def test_roots_are_read_as_they_were_written(roots):
    assert parse_roots(format_roots(roots)) == roots


def test_one_folder_or_one_name_is_not_named_twice(tmp_path):
    (tmp_path / "b").mkdir()
    for value in (f"a={tmp_path}:b={tmp_path}", f"a={tmp_path}:a={tmp_path}/b"):
        with pytest.raises(SettingsError, match="give each folder one name"):
            read(IMAGE_ROOTS=value)


def test_the_processs_own_environment_is_read_if_none_is_given(monkeypatch):
    monkeypatch.setenv("LOOKALIKE_PORT", "4321")
    assert Settings.from_environment().port == 4321
