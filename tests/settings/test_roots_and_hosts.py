"""Image roots, hosts and access to Milvus."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento_service.settings import Settings, SettingsError
from bento_service.settings.root_list import ConfiguredRoot, format_roots, parse_roots
from bento_service.settings.service_links import service_links
from tests.settings.reading import read


def test_an_image_root_that_is_not_a_folder_is_refused(tmp_path):
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
def test_formatted_roots_are_parsed_to_the_same_roots(roots):
    assert parse_roots(format_roots(roots)) == roots


def test_a_repeated_folder_or_name_is_refused(tmp_path):
    (tmp_path / "b").mkdir()
    for value in (f"a={tmp_path}:b={tmp_path}", f"a={tmp_path}:a={tmp_path}/b"):
        with pytest.raises(SettingsError, match="give each folder one name"):
            read(IMAGE_ROOTS=value)


def test_the_environment_of_the_process_is_the_default(monkeypatch):
    monkeypatch.setenv("LOOKALIKE_PORT", "4321")
    assert Settings.from_environment().port == 4321


@pytest.mark.parametrize(
    ("given", "address"),
    [
        *(("localhost", "127.0.0.1"), ("LocalHost", "127.0.0.1"), ("192.0.2.7", "192.0.2.7")),
        *(("::1", "::1"), ("[::1]", "::1"), ("::", "::"), ("0:0:0:0:0:0:0:1", "::1")),
    ],
)
def test_a_host_is_an_address_or_localhost(given, address):
    assert read(HOST=given).host == address


@pytest.mark.parametrize("given", ["gallery.example", "127.0.0.1:80", "127.0.0", "localhost.", "*"])
def test_other_hosts_are_refused_with_what_to_give(given):
    with pytest.raises(SettingsError, match=r"HOST.*give an IP address, such as 127.0.0.1 or ::1"):
        read(HOST=given)


LINKS = {
    "LOOKALIKE_PORT": "tcp://10.43.7.9:8001",
    "LOOKALIKE_PORT_8001_TCP": "tcp://10.43.7.9:8001",
    "LOOKALIKE_PORT_8001_TCP_ADDR": "10.43.7.9",
    "LOOKALIKE_PORT_8001_TCP_PORT": "8001",
    "LOOKALIKE_PORT_8001_TCP_PROTO": "tcp",
    "LOOKALIKE_PORT_53_UDP": "udp://10.43.7.9:53",
    "LOOKALIKE_SERVICE_HOST": "10.43.7.9",
    "LOOKALIKE_SERVICE_PORT": "8001",
    "LOOKALIKE_SERVICE_PORT_HTTP": "8001",
    "LOOKALIKE_WEB_PORT": "tcp://10.43.7.10:80",
    "LOOKALIKE_WEB_PORT_80_TCP": "tcp://10.43.7.10:80",
    "LOOKALIKE_WEB_SERVICE_HOST": "10.43.7.10",
}


def test_service_links_of_kubernetes_are_recognised_and_ignored():
    assert service_links({**LINKS, "LOOKALIKE_HOST": "::1", "PORT": "tcp://x"}) == tuple(
        sorted(LINKS)
    )
    assert Settings.from_environment(LINKS).port == 8001
    assert Settings.from_environment({**LINKS, "LOOKALIKE_PORT": "9000"}).port == 9000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("PORT", "tcp:8001"), ("PORTS", "tcp://10.43.7.9:8001"), ("SERVICE_HOSTS", "10.43.7.9")),
        *(("PORT_TCP", "tcp://10.43.7.9:8001"), ("WEB_PORT", "8001"), ("SERVICE", "x")),
    ],
)
def test_settings_that_only_look_like_service_links_are_refused(name, value):
    with pytest.raises(SettingsError, match=f"LOOKALIKE_{name} is"):
        read(**{name: value})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"MILVUS_TOKEN": "root:Milvus"}, "MILVUS_TOKEN is for a Milvus server"),
        ({"MILVUS_URI": "http://m:1", "MILVUS_CA": __file__}, "begins https://"),
        ({"MILVUS_URI": "https://m:1", "MILVUS_CA": "/none.pem"}, "/none.pem, which cannot be"),
        ({"MILVUS_URI": "https://m:1", "MILVUS_KEY": __file__}, "belong together"),
        (
            {
                "MILVUS_URI": "https://m:1",
                "MILVUS_CERTIFICATE": __file__,
                "MILVUS_KEY": __file__,
            },
            "needs LOOKALIKE_MILVUS_CA",
        ),
    ],
)
def test_access_to_milvus_that_cannot_work_is_refused(values, said):
    with pytest.raises(SettingsError, match=said) as refusal:
        read(**values)
    assert "root:Milvus" not in str(refusal.value)
