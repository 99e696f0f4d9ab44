"""Pictures that bite, sent to a real server."""

import os
import re
import shutil
import signal
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from client_sdk import Client, ImageTooExpensive, ImageUnreadable, TooLarge
from tests.support import bombs
from tests.support.waiting import join, running, wait_until

SECONDS = "0.2"


@pytest.fixture(scope="module")
def server(new_server):
    started = new_server(LOOKALIKE_DECODER_SECONDS=SECONDS, LOOKALIKE_DECODERS="3").start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def scan_bomb():
    return bombs.many_scans((7000, 7000), 300)


@pytest.fixture(scope="module")
def client(server, photographs):
    with Client(server.url, timeout=120) as client:
        client.upload(sorted(photographs.iterdir())).wait()
        yield client


def replaced(server, reason):
    page = httpx.get(f"{server.url}/metrics", timeout=60).text
    found = re.search(rf'lookalike_decoders_replaced_total{{reason="{reason}"}} ([\d.]+)', page)
    assert found
    return float(found[1])


def test_a_search_with_a_bomb_is_refused_and_says_what_to_do(server, client, scan_bomb):
    before = replaced(server, "time")
    with pytest.raises(ImageTooExpensive, match="save it again") as caught:
        client.search(scan_bomb)
    assert caught.value.status == 422
    assert replaced(server, "time") == before + 1


def test_more_pixels_than_allowed_are_refused(client):
    with pytest.raises(TooLarge, match="at most 50000000"):
        client.search(bombs.flat("WEBP", (16383, 3100), lossless=True))


def test_searches_and_thumbnails_are_answered_while_bombs_come_in(
    server, client, scan_bomb, photographs
):
    (image, *_) = client.images()
    ended = threading.Event()
    statuses = []

    def attack():
        while not ended.is_set():
            answer = httpx.post(
                f"{server.url}/api/v2/search", files={"file": scan_bomb}, timeout=120
            )
            statuses.append(answer.status_code)

    attackers = [threading.Thread(target=attack) for _ in range(2)]
    with running(*attackers, stop=ended.set):
        for path in sorted(photographs.iterdir()):
            hit = client.search(path).hits[0]
            assert (hit.name, round(hit.score, 3)) == (path.name, 1.0)
            assert image.thumbnail().startswith(b"RIFF")
        wait_until(lambda: 422 in statuses)
    assert set(statuses) <= {422, 429}
    assert server.is_ready()


def test_a_bomb_among_good_pictures_fails_alone(server, client, scan_bomb, photographs):
    folder = server.images / "mixed"
    shutil.copytree(photographs, folder)
    (folder / "bomb.jpg").write_bytes(scan_bomb)
    client.create_collection("mixed")
    job = client.train("mixed", collection="mixed").wait()
    assert (job.indexed, job.failed) == (6, 1)
    (failure,) = job.all_errors()
    assert (Path(failure.source).name, failure.code) == ("bomb.jpg", "image_too_expensive")


def test_a_decoder_killed_by_hand_fails_its_own_search_alone(
    server, client, scan_bomb, photographs
):
    caught = []

    def ask():
        try:
            with Client(server.url, timeout=120) as own:
                own.search(scan_bomb)
        except (ImageUnreadable, ImageTooExpensive) as error:
            caught.append(error)

    with suppress(ImageTooExpensive):
        client.search(bombs.flat("PNG", (2000, 1600)))  # so that one for the expensive has started
    asking = threading.Thread(target=ask)
    asking.start()
    busy = wait_until(lambda: [pid for pid in server.decoders() if _is_running(pid)], pause=0.005)
    os.kill(busy[0], signal.SIGKILL)
    join(asking)
    assert len(caught) == 1
    assert client.search(photographs / "coins.jpg").hits[0].name == "coins.jpg"
    assert busy[0] not in server.decoders()


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "R"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_decoder_outlives_its_server(new_server, scan_bomb, number):
    own = new_server().start()

    def ask():
        with suppress(httpx.HTTPError):
            httpx.post(f"{own.url}/api/v2/search", files={"file": scan_bomb}, timeout=60)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: any(_is_running(pid) for pid in own.decoders()))
    decoders = own.decoders()
    if number == signal.SIGKILL:
        own.kill()
    else:
        own.stop()
    join(asking)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in decoders))
