"""The command in a pseudo-terminal."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from tests.support import answers
from tests.support.answers import HIT, found
from tests.support.waiting import join, wait_until

MAIN = "import sys; from client_sdk.cli import main; sys.exit(main())"
SECONDS = 60
JOB = {**answers.JOB, "state": "in_progress", "total": 8, "done": 2}
CAN_DO_NOTHING, KNOWS_SIXELS = b"\x1b[?62;6c", b"\x1b[?62;4;6c"


def _take_terminal():
    fcntl.ioctl(1, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where a script runs tests with `&`


class Terminal:
    """A pseudo terminal in which one command runs."""

    def __init__(self, url, *arguments, attributes=CAN_DO_NOTHING, stdin=None, **environment):
        self.screen = b""
        self._attributes = attributes
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 900, 720))
        environment = {"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment}
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *arguments],
            env={**kept, "LOOKALIKE_URL": url, **environment},
            stdin=stdin or slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    def until(self, sign):
        """Read until the screen has had a sign."""
        end = time.monotonic() + SECONDS
        while sign not in self.screen:
            assert time.monotonic() < end, self.screen
            assert self._read(), self.screen

    def ended(self):
        """Read to the end; the exit code."""
        end = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < end, self.screen
        os.close(self._master)
        return self._process.wait(SECONDS)

    def until_idle(self):
        """Wait until the main thread stays in one wait: a signal just before it is seen after it.

        A thread that waits for its turn of the interpreter wakes every few milliseconds.
        """
        main_thread = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/status")

        def sleeps():
            lines = main_thread.read_text().splitlines()
            counts = [line for line in lines if "ctxt_switches" in line]
            return counts if any(line.startswith("State:\tS") for line in lines) else None

        def stays():
            before = sleeps()
            time.sleep(0.5)
            return before is not None and before == sleeps()

        wait_until(stays)

    def type(self, keys):
        os.write(self._master, keys)

    def interrupt(self):
        """Press Ctrl-C; again every 5 s, as a signal just before a wait is seen after it."""
        pressed, end = 0.0, time.monotonic() + SECONDS
        while self._process.poll() is None:
            assert time.monotonic() < end, self.screen
            if time.monotonic() > pressed + 5:
                pressed = time.monotonic()
                self.type(b"\x03")
            if not self._read():
                break

    def _read(self):
        if not select.select([self._master], [], [], 0.2)[0]:
            return self._process.poll() is None
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # how Linux says that the other end is closed
            return False
        self.screen += piece
        if b"\x1b[c" in piece:
            self.type(self._attributes)
        return bool(piece)


@pytest.fixture(scope="module")
def small(photographs, tmp_path_factory):
    """Return a small WebP, as thumbnails are."""
    path = tmp_path_factory.mktemp("small") / "small.webp"
    with Image.open(photographs / "coffee.jpg") as picture:
        picture.thumbnail((64, 64))
        picture.save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def url(small):
    """Yield a service that has one image, and a job that does not end."""
    answer = found({**HIT, "source": "photos/a.jpg"})
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, kind, content):
            self.send_response(200)
            self.send_header("content-type", kind)
            if kind != "text/event-stream":
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def do_GET(self):
            if self.path.endswith("/events"):
                event = f"event: job\ndata: {json.dumps(JOB)}\n\n"
                self.answer("text/event-stream", event.encode())
                over.wait(SECONDS)
                self.close_connection = True
            elif "thumbnail" in self.path:
                self.answer("image/webp", small)
            else:
                body = {"collection": "default", "count": 5}
                self.answer("application/json", json.dumps(body).encode())

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            bodies = {"search": answer, "train": JOB, "delete": {"collection": "c", "deleted": 5}}
            body = bodies[self.path.rpartition("/")[2]]
            self.answer("application/json", json.dumps(body).encode())

        def log_message(self, *words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        service.daemon_threads = True
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{service.server_port}"
        over.set()
        service.shutdown()
        join(thread)


def test_pictures_are_half_blocks_in_a_plain_terminal(url):
    terminal = Terminal(url, "search", "id:7")
    assert terminal.ended() == 0
    assert terminal.screen.count("▀".encode()) > 50
    assert b"photos/a.jpg" in terminal.screen


def test_pictures_are_sixels_in_a_terminal_that_supports_them(url):
    terminal = Terminal(url, "search", "id:7", attributes=KNOWS_SIXELS)
    assert terminal.ended() == 0
    assert b"\x1bP" in terminal.screen
    assert "▀".encode() not in terminal.screen


def test_the_terminal_is_queried_although_standard_input_is_a_pipe(url, photographs):
    with (photographs / "coffee.jpg").open("rb") as picture:
        terminal = Terminal(url, "search", "-", attributes=KNOWS_SIXELS, stdin=picture)
        assert terminal.ended() == 0
    assert b"\x1bP" in terminal.screen


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["--no-pictures"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})],
)
def test_pictures_can_be_turned_off(url, arguments, environment):
    terminal = Terminal(url, "search", "id:7", *arguments, **environment)
    assert terminal.ended() == 0
    assert b"photos/a.jpg" in terminal.screen
    assert "▀".encode() not in terminal.screen
    assert b"\x1b[c" not in terminal.screen


def test_a_job_is_a_bar_and_ctrl_c_ends_only_the_watching(url):
    terminal = Terminal(url, "train", "photos")
    terminal.until(b"2/8")
    assert b"in_progress" in terminal.screen
    terminal.until_idle()
    terminal.interrupt()
    assert terminal.ended() == 130, terminal.screen
    assert b"stopped watching; job j1 continues: lookalike jobs follow j1" in terminal.screen
    assert b"Traceback" not in terminal.screen


@pytest.mark.parametrize(
    ("key", "code", "printed"), [(b"y\n", 0, b"5"), (b"n\n", 130, b"nothing was changed")]
)
def test_deleting_everything_asks_for_confirmation(url, key, code, printed):
    terminal = Terminal(url, "delete", "--all")
    terminal.until(b"Delete all 5 images of default? [y/N]:")
    terminal.type(key)
    assert terminal.ended() == code
    assert printed in terminal.screen
