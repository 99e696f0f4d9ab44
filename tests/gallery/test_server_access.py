"""Tokens, certificates and databases, on a real server that asks for them."""

import logging
import shlex
import subprocess

import numpy as np
import pytest
from pymilvus import MilvusClient

from bento_service.errors import IndexUnavailable
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.settings import Settings

TOKEN = "root:Milvus"  # noqa: S105 - the one of every new server
ONE = np.array([1.0, 0.0], np.float32)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Return a folder with an authority and certificates of the server and of its caller."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(command):
        subprocess.run(["openssl", *shlex.split(command)], cwd=folder, check=True, timeout=60)

    new_key = "-newkey rsa:2048 -nodes"
    openssl(f"req -x509 {new_key} -days 2 -subj /CN=ca -keyout ca.key -out ca.pem")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    for name in ("server", "client"):
        openssl(f"req {new_key} -subj /CN={name} -keyout {name}.key -out {name}.csr")
        openssl(
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
            f"-extfile names -out {name}.pem"
        )
    return folder


@pytest.fixture(scope="module")
def server(new_milvus_server, certificates):
    return new_milvus_server(token=TOKEN, certificates=certificates).start()


@pytest.fixture
def settings(server, certificates, tmp_path):
    """Return what reads the settings of a service that may use the server, with changes."""

    def read(DATABASE="", **changed):  # noqa: N803
        values = {
            "DATA_DIR": str(tmp_path),
            "MILVUS_URI": f"{server.uri}/{DATABASE}",
            "MILVUS_TOKEN": TOKEN,
            "MILVUS_CA": str(certificates / "ca.pem"),
            "MILVUS_CERTIFICATE": str(certificates / "client.pem"),
            "MILVUS_KEY": str(certificates / "client.key"),
        } | changed
        return Settings.from_environment(
            {f"LOOKALIKE_{name}": text for name, text in values.items()}
        )

    return read


def first(gallery, name):
    gallery.open(name, 2)
    gallery.upsert(name, [7], [ONE])
    gallery.make_visible(name)
    return [hit.image_id for hit in gallery.search(name, ONE, top_k=3)]


def test_a_server_with_a_token_and_certificates_is_searched(settings):
    with MilvusGallery.from_settings(settings()) as gallery:
        assert first(gallery, "lookalike_access") == [7]


@pytest.mark.parametrize(
    "wrong",
    [
        {"MILVUS_TOKEN": "root:wrong"},
        {"MILVUS_TOKEN": ""},
        {"MILVUS_CERTIFICATE": "", "MILVUS_KEY": ""},
        {"MILVUS_CA": "", "MILVUS_CERTIFICATE": "", "MILVUS_KEY": ""},
    ],
    ids=["wrong token", "no token", "no certificate", "unknown authority"],
)
def test_a_server_that_refuses_is_unavailable_and_the_log_says_why(settings, wrong, caplog):
    with (
        caplog.at_level(logging.WARNING),
        MilvusGallery.from_settings(settings(**wrong)) as gallery,
        pytest.raises(IndexUnavailable),
    ):
        gallery.open("lookalike_refused", 2)

    assert "correct LOOKALIKE_MILVUS_TOKEN" in caplog.text
    assert TOKEN not in caplog.text
    assert "root:wrong" not in caplog.text


def test_a_database_that_the_server_has_not_is_named_in_the_log(settings, caplog):
    with (
        caplog.at_level(logging.WARNING),
        MilvusGallery.from_settings(settings(DATABASE="unknown")) as gallery,
        pytest.raises(IndexUnavailable),
    ):
        gallery.open("lookalike_refused", 2)

    assert "database:unknown not found" in caplog.text


def test_each_database_has_indexes_of_its_own(settings, server, certificates):
    with MilvusGallery.from_settings(settings()) as gallery:
        admin = MilvusClient(server.uri, dedicated=True, **gallery._connection.options)
    admin.create_database("pictures")
    admin.close()

    with MilvusGallery.from_settings(settings(DATABASE="pictures")) as gallery:
        assert first(gallery, "lookalike_database") == [7]
        assert gallery.names() == ["lookalike_database"]
    with MilvusGallery.from_settings(settings()) as gallery:
        assert "lookalike_database" not in gallery.names()
