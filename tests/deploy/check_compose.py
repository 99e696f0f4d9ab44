"""The compose file as an operator runs it, for minutes: `make deploy-check`.

The tests run in their order, over one set of containers.
"""

import itertools
import json
import os
import threading
import time
from contextlib import suppress

import pytest

from client_sdk import IndexUnavailable, LookalikeError
from tests.support.compose import Composed, skip_without_compose
from tests.support.docker import BASE, skip_without
from tests.support.documented import Reader
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(1800)  # an image is built in minutes
KILLS = 20
LONGEST_SECONDS = 30
SEARCHERS = 2
PATIENCE_SECONDS = 20.0
OLDER_TABLES = """
import sqlite3
with sqlite3.connect("/data/catalogue.db") as database:
    database.executescript(
        "DROP TABLE upload_removals; DROP TABLE upload_pins;"
        "UPDATE alembic_version SET version_num = '0013'"
    )
"""
PROMETHEUS = """
import sys, urllib.request
url = "http://prometheus:9090/api/v1/" + sys.argv[1]
print(urllib.request.urlopen(url, timeout=10).read().decode())
"""
COUNT_ROWS = ("psql", "-U", "lookalike", "-At", "-c", "SELECT count(*) FROM images")


@pytest.fixture(scope="module")
def composed(pictures):
    skip_without(BASE, "milvusdb/milvus:v2.5.13")
    skip_without_compose()
    composed = Composed(pictures, 18_071)
    try:
        yield composed
    finally:
        composed.remove()


def seconds_until(is_so, *, limit):
    began = time.monotonic()
    wait_until(is_so, seconds=limit, pause=0.1)
    return time.monotonic() - began


def finds(client, picture):
    def found():
        with suppress(LookalikeError):
            return client.search(picture, top_k=1).hits[0].score > 0.999
        return False

    return found


def test_from_nothing_to_the_first_hit_by_the_words_of_the_document(composed, pictures, tmp_path):
    instead = {
        r"127\.0\.0\.1:8001": f"127.0.0.1:{composed.port}",
        r"mkdir -p pictures && cp ~/photos/\* pictures": "true",  # `PICTURES` names them
    }

    Reader(tmp_path, os.environ | composed.settings, instead).type("docs/deploy.md", "compose")

    with composed.client() as client:
        assert finds(client, pictures / "coffee.jpg")()
        assert client.info().milvus_lite is False


def test_milvus_stops_and_starts(composed, pictures):
    composed("stop", "milvus")
    with composed.client(retries=0) as client:
        with pytest.raises(IndexUnavailable):
            client.search(pictures / "coffee.jpg")
        assert client.train("/pictures").wait(timeout=60).failed == 0
        composed("start", "milvus")
        back = seconds_until(finds(client, pictures / "coffee.jpg"), limit=180)
    print(f"\nMilvus stopped and started: searches after {back:.0f} s")  # noqa: T201


def test_down_and_up_keep_everything(composed, pictures):
    composed("down")
    composed("up", "--detach", "--wait")

    with composed.client() as client:
        assert client.count() == 6
        assert finds(client, pictures / "coffee.jpg")()


def test_an_upgrade_migrates_the_catalogue(composed, pictures):
    composed("stop", "lookalike")
    composed("run", "--rm", "--no-deps", "--entrypoint", "python", "lookalike", "-c", OLDER_TABLES)

    composed("up", "--detach", "--wait", "--force-recreate", "lookalike")

    with composed.client() as client:
        assert client.count() == 6
        assert finds(client, pictures / "coffee.jpg")()


def test_a_killed_process_is_replaced_under_load(composed, pictures):
    """Embedder and service in turns, twenty times; searches never stop."""
    composed("up", "--detach", "--wait")
    with composed.client() as client:
        client.train("/pictures").wait(timeout=120)
    stop = threading.Event()
    done: list[float] = []

    def search():
        with composed.client(retries=0, timeout=PATIENCE_SECONDS) as client:
            while not stop.is_set():
                began = time.monotonic()
                if finds(client, pictures / "coffee.jpg")():
                    done.append(began)
                else:
                    time.sleep(0.05)

    threads = [threading.Thread(target=search) for _ in range(SEARCHERS)]
    for thread in threads:
        thread.start()
    table = []
    try:
        for number, process in zip(
            range(KILLS), itertools.cycle(("vgg16-embedder", "lookalike")), strict=False
        ):
            before = len(done)
            wait_until(lambda: len(done) > before + 2 * SEARCHERS, seconds=120)  # noqa: B023
            composed.kill(process)
            killed = time.monotonic()
            seconds = seconds_until(
                lambda: any(began > killed for began in done[-50:]),  # noqa: B023
                limit=180,
            )
            table.append((number + 1, process, seconds))
            print(f"\n{number + 1:2} {process:15} {seconds:5.1f} s", end="", flush=True)  # noqa: T201
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)
    assert max(seconds for _, _, seconds in table) <= LONGEST_SECONDS


def test_prometheus_scrapes_with_a_token_of_its_own(composed, tmp_path):
    skip_without("prom/prometheus:v3.5.0")
    token = tmp_path / "prometheus.token"
    token.write_text("f" * 64)
    line = f"prometheus search {token.read_text()}"
    composed("exec", "-T", "lookalike", "sh", "-c", f"echo {line} >> /data/tokens")
    composed.settings["PROMETHEUS_TOKEN"] = str(token)
    composed("up", "--detach", "prometheus")

    def asked(path):
        answer = composed("exec", "-T", "lookalike", "python", "-c", PROMETHEUS, path)
        return json.loads(answer)["data"]

    def images():
        with suppress(AssertionError):  # Prometheus does not answer yet
            found = asked("query?query=lookalike_images")["result"]
            return [one["value"][1] for one in found]
        return []

    wait_until(lambda: images() == ["6"], seconds=90, pause=1)
    (group,) = asked("rules")["groups"]
    assert {rule["lastError"] for rule in group["rules"] if "lastError" in rule} <= {""}


def test_the_catalogue_can_be_in_postgresql(composed, pictures, tmp_path):
    skip_without("postgres:17")
    composed("stop")
    url = "postgresql+psycopg://lookalike:secret@postgres/lookalike"
    settings = tmp_path / "lookalike.env"
    settings.write_text(f"LOOKALIKE_CATALOGUE_URL={url}\n")
    variables = {"POSTGRES_PASSWORD": "secret", "SETTINGS": str(settings)}
    second = Composed(pictures, 18_072, COMPOSE_PROFILES="postgres", **variables)
    try:
        second("up", "--detach", "--wait")
        with second.client() as client:
            assert client.train("/pictures").wait(timeout=120).indexed == 6
            assert finds(client, pictures / "coffee.jpg")()
        assert second("exec", "-T", "postgres", *COUNT_ROWS) == "6"
        second("down")
        second("up", "--detach", "--wait")
        with second.client() as client:
            assert finds(client, pictures / "coffee.jpg")()
    finally:
        second.remove()
