"""The log as JSON, one object a line, for programs that collect logs: LOOKALIKE_LOG_FORMAT=json."""

import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being served."""
_LOGGERS = ("", "bentoml", "uvicorn", "uvicorn.error", "circus")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON.

    Args:
        trace_id: Returns the id of the current trace; 0 if there is none.
    """

    def __init__(self, trace_id: Callable[[], int] = int) -> None:
        super().__init__()
        self._trace_id = trace_id

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; lines of a stack trace are part of it."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        if trace_id := self._trace_id():
            line["trace_id"] = f"{trace_id:032x}"
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_as_json() -> None:
    """Format what every present handler of this process writes."""
    from opentelemetry import trace  # BentoML brings it along

    formatter = JsonFormatter(lambda: trace.get_current_span().get_span_context().trace_id)
    for name in _LOGGERS:
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(formatter)
