"""Following a job by server-sent events, across broken streams."""

import httpx
from httpx_sse import ServerSentEvent
from pydantic import ValidationError

from client_sdk._transport.polling import Patience
from client_sdk.errors import LookalikeError, UnexpectedAnswer, from_response
from client_sdk.schemas import Job

_FIRST_PAUSE = 0.2


class Following:
    """The state of following a job.

    Args:
        job_id: The id of the job.
        timeout: The longest time without an answer of the service, in seconds.

    Raises:
        UsageError: If the timeout is not a number of seconds.
    """

    def __init__(self, job_id: str, timeout: float) -> None:
        self._job_id = job_id
        self._timeout = timeout
        self._patience = self._fresh()
        self._heard = False
        self._last: Job | None = None

    @property
    def is_over(self) -> bool:
        """True once the job has ended."""
        return self._last is not None and self._last.state.is_final

    def begin(self, response: httpx.Response) -> None:
        """Check the status and headers of a stream; the body of an error must have been read."""
        if not response.is_success:
            raise from_response(response)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise UnexpectedAnswer(
                f"job {self._job_id} cannot be followed: what answers at {response.url.path} sends "
                "no events"
            )

    def read(self, event: ServerSentEvent) -> list[Job]:
        """Return the job of an event, or an empty list if it has not changed."""
        self._heard = True
        if event.event != "job":
            return []
        try:
            job = Job.model_validate_json(event.data)
        except ValidationError as error:
            raise UnexpectedAnswer(
                f"an event of job {self._job_id} is not what the contract says"
            ) from error
        changed, self._last = job != self._last, job
        return [job] if changed else []

    def pause(self, error: LookalikeError | None) -> float:
        """Return the seconds until the stream is reopened; raise once the time is over."""
        if self._heard:
            self._patience, self._heard = self._fresh(), False
        return self._patience.pause(f"job {self._job_id} cannot be followed any more", error)

    def _fresh(self) -> Patience:
        return Patience(timeout=self._timeout, interval=_FIRST_PAUSE)
