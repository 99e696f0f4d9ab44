"""A real start in an environment that other programs and systems share."""

import subprocess
import sys

import httpx
from PIL import Image

from tests.support.waiting import wait_until

NOWHERE = "http://127.0.0.1:9"


def test_a_start_indexes_its_folder_in_a_shared_environment(new_server, tmp_path):
    server = new_server(
        # Kubernetes
        LOOKALIKE_PORT_8001_TCP="tcp://10.43.7.9:8001",
        LOOKALIKE_SERVICE_HOST="10.43.7.9",
        # proxies, which lead to nothing
        **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"), NOWHERE),
        **dict.fromkeys(("no_proxy", "NO_PROXY"), ""),
        # foreign encodings, which cannot even write the names of the files
        LC_ALL="C",
        PYTHONCOERCECLOCALE="0",
        PYTHONUTF8="0",
        PYTHONIOENCODING="ascii",
        # names, and who may call
        LOOKALIKE_HOST="localhost",
        LOOKALIKE_TOKENS_FILE=str(tmp_path / "tokens"),
        LOOKALIKE_TLS_CERTIFICATE=str(tmp_path / "chain.pem"),
        LOOKALIKE_TLS_KEY=str(tmp_path / "key.pem"),
        TMPDIR=str(tmp_path / "temporary".ljust(135 - len(str(tmp_path)), "y")),
    )
    (tmp_path / "tokens").write_text(f"ci admin {'t' * 32}\n")
    (tmp_path / server.environment["TMPDIR"]).mkdir()
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=gallery.example"
    files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "chain.pem"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True, timeout=60)
    folder = tmp_path / "Bücher: Müller's & Co"
    folder.mkdir()
    Image.new("RGB", (40, 30), "red").save(folder / "Müller.png")
    (folder / "写真.jpg").write_bytes(b"no picture")
    (folder / "._Müller.png").write_bytes(b"resource fork")
    (folder / "link.png").symlink_to("Müller.png")
    server.command = [sys.executable, "-m", "bento_service", "--images", str(folder)]

    server.launch()

    wait_until(
        lambda: "skipped: symbolic" in server.log.read_text(),
        seconds=180,
        message=lambda: server.log.read_text()[-4000:],
    )
    log = server.log.read_text()
    assert f"Lookalike is ready: https://127.0.0.1:{server.port}\n" in log
    assert "1 indexed, 0 already known, 1 failed\n" in log
    assert r"/\u5199\u771f.jpg" in log
    assert "1 skipped: files of systems and programs" in log
    assert (
        "ignored the service links of Kubernetes: LOOKALIKE_PORT_8001_TCP, LOOKALIKE_SERVICE_HOST"
        in log
    )
    url = f"https://127.0.0.1:{server.port}/api/v2"
    bearer = {"Authorization": f"Bearer {'t' * 32}"}
    with httpx.Client(verify=False, trust_env=False, headers=bearer) as http:  # noqa: S501
        (image,) = http.get(f"{url}/images").json()["images"]
        assert image["source"] == f"{folder.name}/Müller.png"
        train = http.post(f"{url}/train", json={"path": str(folder)})
        assert train.status_code == 202
    assert httpx.get(f"{url}/images", verify=False, trust_env=False).status_code == 401  # noqa: S501
