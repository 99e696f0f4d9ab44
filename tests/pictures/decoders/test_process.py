"""A decoder as a process: what it holds, how it ends, and that nothing it says is believed."""

import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bento_service.errors import ImageUnreadable, NotReady
from bento_service.pictures.decoders import process as process_module
from tests.support.processes import child, is_gone, processor_ticks
from tests.support.waiting import wait_until

PROJECT = Path(__file__).parents[3]
HEAVY = ("numpy", "sqlalchemy", "pymilvus", "bentoml", "pydantic", "httpx", "milvus_lite")
# A program with a decoder at rest in each lane, which then decodes a picture in the slow lane.
AT_WORK = """
import sys
from bento_service.pictures.decoders.decoders import Decoders
from bento_service.pictures.decoders.process import DecoderLimits

limits = DecoderLimits(10**8, 10**8, 2**30, 600.0)
with Decoders(limits, count=1) as decoders:
    decoders.slow.start()
    print(*decoders.slow.pids, flush=True)
    decoders.decode(open(sys.argv[1], "rb").read(), side=16)
    sys.exit("the picture was too cheap")
"""
# Says that it is ready, and answers every request with the bytes that it was given.
LIAR = """
import json, socket, struct, sys

def send(header, payload=b""):
    encoded = json.dumps(header).encode()
    channel.sendall(struct.pack("!IQ", len(encoded), len(payload)) + encoded + payload)

channel = socket.socket(fileno=0)
send({"ready": True})
while channel.recv(2**20):
    channel.sendall(bytes.fromhex(sys.argv[1]))
"""


def framed(header, payload=b""):
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("!IQ", len(encoded), len(payload)) + encoded + payload


def header(**changes):
    return {"width": 5, "height": 4, "format": "PNG", "warnings": [], **changes}


def test_a_decoder_loads_only_what_decodes(opened, encoded):
    decoders = opened(count=1)
    for file_format, mode in (("JPEG", "RGB"), ("PNG", "I;16"), ("TIFF", "F"), ("AVIF", "RGBA")):
        decoders.decode(encoded(file_format, mode=mode), side=16)
    (pid,) = decoders.pids
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "PIL/" in maps
    assert [name for name in HEAVY if f"/{name}/" in maps] == []
    loaded = "import sys, bento_service.pictures.decoders.child; print(*sys.modules)"
    modules = subprocess.check_output(
        [sys.executable, "-c", loaded], cwd=PROJECT, text=True, timeout=120
    )
    assert [name for name in HEAVY if name in modules.split()] == []


def test_a_decoder_holds_nothing_of_the_service(opened, encoded, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_TOKENS", "ci search secret")
    with (tmp_path / "lock").open("w") as lock, socket.socket() as listening:
        fcntl.flock(lock, fcntl.LOCK_EX)
        listening.listen()
        for file in (lock, listening):
            os.set_inheritable(file.fileno(), True)
        decoders = opened(count=1)
        decoders.decode(encoded(), side=16)
        (pid,) = decoders.pids
    held = {one.name: str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}
    assert held.keys() - {"0", "1", "2"} == set()
    assert held["0"].startswith("socket:")
    assert held["1"] == "/dev/null"
    environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
    assert {line.partition("=")[0] for line in environment if line} == {
        "MALLOC_ARENA_MAX",
        "MALLOC_MMAP_THRESHOLD_",
        "MALLOC_TRIM_THRESHOLD_",
    }
    with (tmp_path / "lock").open("w") as lock:  # the decoder, which still lives, does not hold it
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_modules_with_names_of_the_standard_library_do_not_matter(encoded, tmp_path):
    site = tmp_path / "site-packages"
    for package in ("bento_service", "client_sdk"):
        shutil.copytree(PROJECT / package, site / package)
    for name in ("ctypes", "dataclasses", "enum", "json", "runpy", "struct", "typing", "zlib"):
        (site / f"{name}.py").write_text("raise ImportError('not the standard library')\n")
    (tmp_path / "a.jpg").write_bytes(encoded())
    decodes = f"""
import sys
sys.path.append({str(site)!r})
from bento_service.pictures.decoders import decoders
assert decoders.__file__.startswith({str(site)!r})
limits = decoders.DecoderLimits(10**8, 10**8, 2**30, 600.0)
with decoders.Decoders(limits, count=1) as opened:
    print(opened.decode(open(sys.argv[1], "rb").read(), side=16).format)
"""
    command = [sys.executable, "-P", "-c", decodes, tmp_path / "a.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("JPEG\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_processes_is_for_the_service_alone(opened, encoded, number):
    decoders = opened(count=1)
    (pid,) = decoders.pids
    os.kill(pid, number)
    decoders.decode(encoded(), side=16)
    assert decoders.pids == (pid,)


def test_decoders_end_with_their_service_even_in_the_middle_of_a_picture(tmp_path, scan_bomb):
    (tmp_path / "bomb.jpg").write_bytes(scan_bomb)
    command = [sys.executable, "-c", AT_WORK, tmp_path / "bomb.jpg"]
    with child(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as service:
        busy = int(service.stdout.readline())
        at_rest = processor_ticks(busy)
        wait_until(lambda: processor_ticks(busy) > at_rest + 2)
        # The other lane has lost its decoder at the same picture, and may have the next one.
        decoders = {busy} | {one.pid for one in psutil.Process(service.pid).children()}
        service.kill()
        for pid in decoders:
            wait_until(lambda pid=pid: is_gone(pid))


def test_closed_decoders_leave_no_process(opened, encoded):
    decoders = opened()
    decoders.decode(encoded(), side=16)
    pids = decoders.pids
    decoders.__exit__(None, None, None)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(NotReady):
        decoders.decode(encoded(), side=16)


def test_the_memory_of_a_large_picture_goes_back_to_the_system(opened, encoded, flat_webp):
    decoders = opened(count=1)
    decoders.slow.start()
    (pid,) = decoders.slow.pids

    def held():
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(rollup.split("Private_Dirty:")[1].split()[0]) * 1024

    decoders.decode(encoded("PNG", (2000, 1600)), side=16)
    before = held()
    decoders.decode(flat_webp, side=16)
    assert decoders.slow.pids == (pid,)
    assert held() - before < 8 * 2**20


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense, and not even framed as a message",
        framed(b"no json"),
        framed(b"[" * 60_000),
        framed([1, 2]),
        struct.pack("!IQ", 2**31, 0),
        struct.pack("!IQ", 2, 2**62) + b"{}",
        framed({}),
        framed(header(), bytes(3 * 4 * 4 - 1)),
        framed(header(), bytes(3 * 4 * 4 + 1)),
        framed(header(width=0), bytes(48)),
        framed(header(height="4"), bytes(48)),
        framed(header(format="SVG"), bytes(48)),
        framed(header(format=["PNG"]), bytes(48)),
        framed(header(warnings=[1]), bytes(48)),
        framed(header(warnings=None), bytes(48)),
        framed({"error": "internal_error", "detail": "why"}),
        framed({"error": "too_large", "detail": 7}),
        framed({"error": {}, "detail": "why"}),
    ],
)
def test_an_answer_that_is_none_is_not_believed(opened, encoded, monkeypatch, answer):
    lying = (sys.executable, "-c", LIAR, answer.hex())
    monkeypatch.setattr(process_module, "_COMMAND", lying)
    decoders = opened(count=1, seconds=5)
    (liar,) = decoders.pids
    with pytest.raises(ImageUnreadable):
        decoders.decode(encoded(), side=4)
    assert decoders.replaced["died"] == 1
    assert liar not in decoders.pids


def test_a_thumbnail_that_is_no_webp_is_not_passed_on(opened, encoded, monkeypatch):
    page = framed({}, b"<script>alert(1)</script>")
    monkeypatch.setattr(process_module, "_COMMAND", (sys.executable, "-c", LIAR, page.hex()))
    with pytest.raises(ImageUnreadable):
        opened(count=1).thumbnail(encoded(), side=16)


def test_decoders_that_cannot_start_are_said_at_once(opened, monkeypatch):
    monkeypatch.setattr(process_module, "_COMMAND", ("/bin/false",))
    with pytest.raises(NotReady, match="does not start"):
        opened()
    monkeypatch.setattr(process_module, "_COMMAND", ("/nowhere/python",))
    with pytest.raises(NotReady, match="cannot be started"):
        opened()


def test_a_decoder_that_does_not_start_again_is_not_the_next_pictures_fault(
    opened, encoded, monkeypatch
):
    decoders = opened(count=1)
    monkeypatch.setattr(process_module, "_COMMAND", ("/bin/false",))
    os.kill(decoders.pids[0], signal.SIGKILL)
    wait_until(lambda: is_gone(decoders.pids[0]))
    with pytest.raises(NotReady):
        decoders.decode(encoded(), side=16)
    monkeypatch.undo()
    assert decoders.decode(encoded(), side=16).width == 300


def test_a_decoder_leaves_the_processor_to_the_service(opened):
    (pid,) = opened().pids
    assert psutil.Process(pid).nice() == min(psutil.Process().nice() + 10, 19)
    assert os.getsid(pid) != os.getsid(0)
    autogroup = Path(f"/proc/{pid}/autogroup")
    if not autogroup.exists():
        pytest.skip("this kernel does not divide the processor among sessions")
    assert autogroup.read_text().endswith("nice 10\n")
