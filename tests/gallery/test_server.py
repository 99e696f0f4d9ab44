"""Searches of a Milvus server that is paused, killed, restarted and moved."""

import socket
import threading
import time
from contextlib import suppress

import pytest

from bento_service.errors import IndexUnavailable
from bento_service.gallery.connection import SEARCH_SECONDS
from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.support.waiting import join, run_threads, wait_until

DIMENSION = 16
PATIENCE = 90.0


@pytest.fixture(scope="module", params=[60])
def own(request, new_milvus_server):
    """Yield a server that these tests may damage."""
    server = new_milvus_server(session_seconds=request.param).start()
    yield server
    server.remove()


@pytest.fixture
def filled(own, unit_vectors):
    """Return the name of an index with two rows in it."""
    with MilvusGallery(own.uri) as gallery:
        gallery.open("filled", DIMENSION)
        gallery.upsert("filled", [1, 2], unit_vectors(2))
        gallery.make_visible("filled")
    return "filled"


@pytest.fixture
def gallery(own, filled, unit_vectors):
    with MilvusGallery(own.uri) as gallery:
        assert best(gallery, filled, unit_vectors) == 1
        yield gallery


def best(gallery, index, unit_vectors):
    return gallery.search(index, unit_vectors(2)[0], top_k=1)[0].image_id


def refused_after(act):
    """Seconds until a call says that the index does not answer."""
    began = time.monotonic()
    with pytest.raises(IndexUnavailable, match="nothing is lost"):
        act()
    return time.monotonic() - began


def until_found(gallery, index, unit_vectors):
    def found():
        with suppress(IndexUnavailable):
            return best(gallery, index, unit_vectors)

    return wait_until(found, pause=0.1)


def test_searches_of_a_paused_server_time_out_and_then_fail_fast(
    own, gallery, filled, unit_vectors
):
    (vector, _) = unit_vectors(2)
    waited = []

    def search():
        waited.append(refused_after(lambda: gallery.search(filled, vector, top_k=1)))

    own.pause()
    try:
        threads = [threading.Thread(target=search) for _ in range(20)]
        run_threads(*threads)
        assert len(waited) == 20
        assert max(waited) < 19 * SEARCH_SECONDS  # one after the other would be twenty times
        at_once = [refused_after(lambda: best(gallery, filled, unit_vectors)) for _ in range(5)]
        assert min(at_once) < SEARCH_SECONDS / 2
        assert not gallery.answers
    finally:
        own.resume()

    assert until_found(gallery, filled, unit_vectors) == 1
    assert gallery.answers


def test_a_call_of_another_thread_does_not_close_the_client_of_a_search(
    own, gallery, filled, unit_vectors
):
    """The dead channel is closed when the last call over it has ended, not before."""
    failures = []

    def write():
        try:
            gallery.upsert(filled, [1], unit_vectors(1))
        except Exception as error:  # noqa: BLE001 - looked at by the test's own thread
            failures.append(error)

    own.pause()
    try:
        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.2)
        refused_after(lambda: best(gallery, filled, unit_vectors))
    finally:
        own.resume()
    join(writer)
    assert all(isinstance(error, IndexUnavailable) for error in failures)
    assert until_found(gallery, filled, unit_vectors) == 1


def test_an_index_that_was_released_is_unavailable_until_it_is_opened(
    own, gallery, filled, unit_vectors
):
    gallery._client.release_collection(filled, timeout=30)
    refused_after(lambda: best(gallery, filled, unit_vectors))
    assert gallery.take_suspects() == {filled}
    assert gallery.answers  # it is there, and says no
    gallery.open(filled, DIMENSION)
    assert best(gallery, filled, unit_vectors) == 1
    assert gallery.take_suspects() == set()


class Relay:
    """Passes connections on to a server; those that it has fall silent at a word, as in a net."""

    def __init__(self, port):
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._silent = threading.Event()
        self._open = [self._listening]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def silence(self):
        """Let the connections that there are lead nowhere; new ones do not."""
        self._silent.set()
        self._silent = threading.Event()

    def _accept(self):
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for ends in ((near, far), (far, near)):
                passing = threading.Thread(target=self._pass, args=(*ends, self._silent))
                self._threads.append(passing)
                passing.start()

    def _pass(self, source, sink, silent):
        try:
            while data := source.recv(65536):
                if not silent.is_set():
                    sink.sendall(data)
        except OSError:
            pass

    def close(self):
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
        for thread in self._threads:
            join(thread)
        for one in self._open:
            one.close()


def test_a_dead_connection_is_replaced_by_a_new_one(own, filled, unit_vectors):
    relay = Relay(int(own.uri.rsplit(":", 1)[1]))
    try:
        with MilvusGallery(f"http://127.0.0.1:{relay.port}") as gallery:
            assert best(gallery, filled, unit_vectors) == 1
            relay.silence()
            assert refused_after(lambda: best(gallery, filled, unit_vectors)) < SEARCH_SECONDS + 2
            assert until_found(gallery, filled, unit_vectors) == 1
    finally:
        relay.close()


def test_two_servers_can_be_used_at_once(own, milvus_server, filled):
    with MilvusGallery(milvus_server.uri) as other, MilvusGallery(own.uri) as gallery:
        assert filled in gallery.names()
        assert filled not in other.names()


@pytest.mark.parametrize("own", [3], indirect=True)
def test_a_killed_server_fails_at_once_and_has_its_rows_after_a_restart(
    own, gallery, filled, unit_vectors
):
    own.kill()
    assert refused_after(lambda: best(gallery, filled, unit_vectors)) < 1.5
    assert refused_after(lambda: gallery.upsert(filled, [1], unit_vectors(1))) < 1.5
    own.start(wait=False)
    assert until_found(gallery, filled, unit_vectors) == 1
    assert gallery.ids(filled) == {1, 2}
