import logging
import sys
import threading
from pathlib import Path

import pytest

from bento_service.log_redaction import redact_log


@pytest.fixture
def said(monkeypatch):
    """Return a function that logs a message with names for `/data` and `/data/pictures`."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    made = logging.getLogRecordFactory()
    redact_log({Path("/data"): "data", Path("/data/pictures"): "shop"})
    record = logging.getLogRecordFactory()
    yield lambda text, *words: record("a", logging.INFO, "a.py", 1, text, words, None).getMessage()
    logging.setLogRecordFactory(made)


@pytest.mark.parametrize(
    ("text", "log"),
    [
        ("cannot read /data/pictures/cat.jpg", "cannot read shop/cat.jpg"),
        ("'/data/uploads' is full", "'data/uploads' is full"),
        ("sqlite:////data/catalogue.db", "sqlite:///data/catalogue.db"),
        ("nothing is in /data.", "nothing is in data."),
        (
            "at bento_service/storage/data_folder.py:12",
            "at bento_service/storage/data_folder.py:12",
        ),
        ("/mnt/data and /data-2 and /data.old", "/mnt/data and /data-2 and /data.old"),
    ],
)
def test_the_log_replaces_only_whole_paths(said, text, log):
    assert said(text) == log


def test_arguments_that_do_not_fit_their_message_are_no_error_of_the_caller(said):
    line = "'read %d files of data' cannot be formatted: TypeError"
    assert said("read %d files of /data", "/data/pictures") == line
    assert said("%s and %s", "/data") == "'%s and %s' cannot be formatted: TypeError"
