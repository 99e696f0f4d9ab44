"""Following a job by server-sent events: reading them, and going on when the stream breaks off."""

import re
from dataclasses import dataclass

import httpx
from pydantic import ValidationError

from client_sdk._polling import Patience
from client_sdk.errors import LookalikeError, UnexpectedAnswer, from_response
from client_sdk.schemas import Job

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a last \r may be the half of an end
_FIRST_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    name: str
    data: str


class EventDecoder:
    """Takes the bytes of a stream, in whatever pieces, and gives its events."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = "message"
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are whole with these bytes."""
        *lines, self._rest = _LINE_END.split(self._rest + piece)
        return [event for line in lines if (event := self._line(line.decode("utf-8", "replace")))]

    def _line(self, line: str) -> Event | None:
        if line:
            name, _, value = line.partition(":")
            self._field(name, value.removeprefix(" "))
            return None
        event = Event(self._name, "\n".join(self._data)) if self._data else None
        self._name, self._data = "message", []
        return event

    def _field(self, name: str, value: str) -> None:
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)


class Following:
    """How far the following of a job has come. Talks to nobody.

    Args:
        job_id: Which job.
        timeout: Seconds that the service may be away.

    Raises:
        UsageError: If the timeout is not a number of seconds.
    """

    def __init__(self, job_id: str, timeout: float) -> None:
        self._job_id = job_id
        self._timeout = timeout
        self._patience = self._fresh()
        self._decoder = EventDecoder()
        self._last: Job | None = None

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self._last is not None and self._last.state.is_final

    def begin(self, response: httpx.Response) -> None:
        """Begin with a stream, or with another one after it broke off.

        Raises:
            ApiError: If the service refused; the response has been read then.
            UnexpectedAnswer: If it is no stream of events.
        """
        if not response.is_success:
            raise from_response(response)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise UnexpectedAnswer(
                f"job {self._job_id} cannot be followed: what answers at {response.url.path} sends "
                "no events"
            )
        self._decoder = EventDecoder()

    def read(self, piece: bytes) -> list[Job]:
        """The job, each time that it has changed.

        Raises:
            UnexpectedAnswer: If an event is not what the contract says.
        """
        self._patience = self._fresh()
        return [job for event in self._decoder.feed(piece) if (job := self._news(event))]

    def pause(self, error: LookalikeError | None) -> float:
        """Seconds to pause before the stream is opened again.

        Raises:
            LookalikeError: What broke the stream, if that will not pass by itself.
            TimeoutExceeded: If the service is away for too long.
        """
        return self._patience.pause(f"job {self._job_id} cannot be followed any more", error)

    def _fresh(self) -> Patience:
        return Patience(timeout=self._timeout, interval=_FIRST_PAUSE)

    def _news(self, event: Event) -> Job | None:
        if event.name != "job":
            return None
        try:
            job = Job.model_validate_json(event.data)
        except ValidationError as error:
            raise UnexpectedAnswer(
                f"an event of job {self._job_id} is not what the contract says"
            ) from error
        if job == self._last:
            return None
        self._last = job
        return job
