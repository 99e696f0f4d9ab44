"""Redaction of stack traces, paths and passwords in the log.

At the default level an error is one line with its kind and the line of code that raised it.
`LOOKALIKE_LOG_LEVEL` `debug` shows everything.
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


def summary_of(error: BaseException) -> str:
    """Return an error's kind and its last place in our code, or where it was raised.

    Only our own errors keep their messages, because others quote paths and values.
    """
    places = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        places.append((str(trace.tb_frame.f_globals.get("__name__", "?")), trace.tb_lineno))
        trace = trace.tb_next
    ours = [place for place in places if place[0].startswith(_OURS)] or places
    where = f" at {ours[-1][0]}:{ours[-1][1]}" if ours else ""
    kind = type(error)
    message = f" ({error})" if f"{kind.__module__}.".startswith(_OURS) else ""
    return f"{kind.__name__}{where}{message}"


def redact_log(folders: Mapping[Path, str]) -> None:
    """Redact this process's log, with names in place of the paths of folders."""
    names = {str(path): name for path, name in folders.items()}
    names |= {str(_PROJECT): "lookalike", sys.prefix: "python", sys.base_prefix: "python"}
    # The longest path first, because folders may be nested.
    replacements = [
        # Match whole paths only: `/data` must not match in `storage/data_folder.py` or `/data-2`.
        (re.compile(rf"(?<![\w.-]){re.escape(path)}(?![\w-]|\.\w)"), name)
        for path, name in sorted(names.items(), key=lambda item: -len(item[0]))
    ]
    make_record = logging.getLogRecordFactory()

    def make_redacted(*arguments: Any, **options: Any) -> logging.LogRecord:
        return _redacted(make_record(*arguments, **options), replacements)

    logging.setLogRecordFactory(make_redacted)
    sys.excepthook = lambda _, error, __: _log.critical("%s", summary_of(error))
    threading.excepthook = lambda ended: _log.critical(
        "a thread failed: %s", summary_of(ended.exc_value) if ended.exc_value else "unknown"
    )


def _redacted(
    record: logging.LogRecord, replacements: list[tuple[re.Pattern[str], str]]
) -> logging.LogRecord:
    original = _message_of(record)
    text = _CREDENTIALS.sub("://...@", original)
    for path, name in replacements:
        text = name.join(path.split(text))
    if record.exc_info:
        error = record.exc_info[1]
        text = f"{text.partition(chr(10))[0].rstrip(':')}: {summary_of(error) if error else '?'}"
        record.exc_info = None
    record.stack_info = None
    if text != original:
        record.msg, record.args = text, ()
    return record


def _message_of(record: logging.LogRecord) -> str:
    """Return a record's message; drop arguments that do not fit it, as libraries may pass some."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - an argument may raise anything
        kind = type(error).__name__
        record.msg, record.args = f"{record.msg!r} cannot be formatted: {kind}", ()
        return record.getMessage()
