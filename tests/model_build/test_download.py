import hashlib
import socket
from dataclasses import replace

import pytest

from model_build.download import TimeLimits, download
from model_build.errors import WeightsUnavailable

CONTENT = b"weights " * 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = f"/weights-{SHA256[:8]}.pth"
LIMITS = TimeLimits(connect=60, read=60, total=120)


def nothing_is_left_in(folder):
    return not list(folder.rglob("*"))


def test_a_file_is_fetched_under_its_own_name(server, tmp_path):
    file = download(server.add(NAME, CONTENT), tmp_path / "new" / "folder", LIMITS)
    assert file == tmp_path / "new" / "folder" / NAME[1:]
    assert file.read_bytes() == CONTENT
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path):
    url = server.add(NAME, CONTENT)
    download(url, tmp_path, LIMITS)
    download(url, tmp_path, LIMITS)
    assert len(server.asked) == 1


def test_a_damaged_file_that_is_there_is_fetched_again(server, tmp_path):
    (tmp_path / NAME[1:]).write_bytes(CONTENT[:-1])
    assert download(server.add(NAME, CONTENT), tmp_path, LIMITS).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_refused_and_not_kept(server, tmp_path):
    url = server.add(NAME, CONTENT.replace(b"weights", b"malware"))
    with pytest.raises(WeightsUnavailable, match=f"does not begin with {SHA256[:8]}"):
        download(url, tmp_path, LIMITS)
    assert nothing_is_left_in(tmp_path)


def test_a_file_that_does_not_name_its_hash_is_not_even_asked_for(server, tmp_path):
    with pytest.raises(WeightsUnavailable, match="does not name its SHA-256"):
        download(server.add("/weights.pth", CONTENT), tmp_path, LIMITS)
    assert server.asked == []


def test_a_missing_file_is_reported_by_its_status(server, tmp_path):
    with pytest.raises(WeightsUnavailable, match="HTTP 404"):
        download(f"{server.url}/absent-00000000.pth", tmp_path, LIMITS)
    assert nothing_is_left_in(tmp_path)


def test_a_server_that_never_answers_is_given_up(server, tmp_path):
    url = server.add_answer(NAME, lambda handler: server.wait(300))
    with pytest.raises(WeightsUnavailable, match=r"no answer within 0\.5 s"):
        download(url, tmp_path, replace(LIMITS, connect=0.5))
    assert nothing_is_left_in(tmp_path)


def test_a_server_that_stops_in_the_middle_is_given_up(server, tmp_path):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:1000])
        server.wait(300)

    with pytest.raises(WeightsUnavailable, match="timed out"):
        download(server.add_answer(NAME, answer), tmp_path, replace(LIMITS, read=0.5))
    assert nothing_is_left_in(tmp_path)


def test_a_server_that_sends_byte_after_byte_is_given_up(server, tmp_path):
    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        while not server.ends.is_set():
            handler.wfile.write(b"w")
            handler.wfile.flush()
            server.wait(0.05)

    with pytest.raises(WeightsUnavailable, match="not finished after 1 s"):
        download(server.add_answer(NAME, answer), tmp_path, replace(LIMITS, total=1.0))


def test_a_file_that_ends_early_is_reported_by_its_length(server, tmp_path):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:1000])

    with pytest.raises(WeightsUnavailable, match=f"ended after 1000 of {len(CONTENT)} bytes"):
        download(server.add_answer(NAME, answer), tmp_path, LIMITS)
    assert nothing_is_left_in(tmp_path)


def test_an_answer_that_is_not_http_is_rejected(server, tmp_path):
    url = server.add_answer(NAME, lambda handler: handler.wfile.write(b"\x00\x01 what?\r\n"))
    with pytest.raises(WeightsUnavailable, match=r"what\?"):
        download(url, tmp_path, LIMITS)


def test_a_port_where_nobody_listens_is_reported(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(WeightsUnavailable, match="refused"):
        download(f"http://127.0.0.1:{port}{NAME}", tmp_path, LIMITS)
