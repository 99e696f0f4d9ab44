"""What the log keeps to itself: stack traces, where things lie on this machine, passwords.

At the default level an error is one line: its kind and where it was raised. `LOOKALIKE_LOG_LEVEL`
`debug` shows everything.
"""

import logging
import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

_PROJECT = Path(__file__).parents[1]
_OURS = ("bento_service.", "client_sdk.", "model_build.")
_CREDENTIALS = re.compile(r"://[^/@\s]+@")
_log = logging.getLogger(__name__)


def in_short(error: BaseException) -> str:
    """An error's kind and where it was raised, in our code if it came through that.

    What it says is left out unless it is one of ours: others' errors quote paths and values.
    """
    places = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        places.append((str(trace.tb_frame.f_globals.get("__name__", "?")), trace.tb_lineno))
        trace = trace.tb_next
    ours = [place for place in places if place[0].startswith(_OURS)] or places
    where = f" at {ours[-1][0]}:{ours[-1][1]}" if ours else ""
    kind = type(error)
    said = f" ({error})" if f"{kind.__module__}.".startswith(_OURS) else ""
    return f"{kind.__name__}{where}{said}"


def be_discreet(folders: Mapping[Path, str]) -> None:
    """Have this process's log leave out what is nobody's business.

    Args:
        folders: What they are called instead of their paths.
    """
    names = {str(path): name for path, name in folders.items()}
    names |= {str(_PROJECT): "lookalike", sys.prefix: "python", sys.base_prefix: "python"}
    # The longest first: one may lie in another.
    known = [
        # Match whole paths only: `/data` must not match in `storage/data_folder.py` or `/data-2`.
        (re.compile(rf"(?<![\w.-]){re.escape(path)}(?![\w-]|\.\w)"), name)
        for path, name in sorted(names.items(), key=lambda one: -len(one[0]))
    ]
    made = logging.getLogRecordFactory()

    def record(*arguments: Any, **options: Any) -> logging.LogRecord:
        return _discreet(made(*arguments, **options), known)

    logging.setLogRecordFactory(record)
    sys.excepthook = lambda _, error, __: _log.critical("%s", in_short(error))
    threading.excepthook = lambda given: _log.critical(
        "a thread has ended: %s", in_short(given.exc_value) if given.exc_value else "unknown"
    )


def _discreet(
    record: logging.LogRecord, known: list[tuple[re.Pattern[str], str]]
) -> logging.LogRecord:
    said = record.getMessage()
    told = _CREDENTIALS.sub("://...@", said)
    for path, name in known:
        told = name.join(path.split(told))
    if record.exc_info:
        error = record.exc_info[1]
        told = f"{told.partition(chr(10))[0].rstrip(':')}: {in_short(error) if error else '?'}"
        record.exc_info = None
    record.stack_info = None
    if told != said:
        record.msg, record.args = told, ()
    return record
