"""A job of the service, with methods that watch, cancel and retry it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from types import NoneType
from typing import Self

from httpx_sse import ServerSentEvent
from pydantic import ValidationError

from client_sdk._arguments import checked
from client_sdk._async.results import AsyncBound
from client_sdk._calls.call import Call, Page, job_id_of, job_path
from client_sdk._progress import watched
from client_sdk._transport.polling import Polling, describe_unfinished
from client_sdk.errors import JobFailed, LookalikeError, UnexpectedAnswer
from client_sdk.schemas import Job, JobError, JobState


@checked
class AsyncJobHandle(Job, AsyncBound):
    """A job with methods that watch, cancel and retry it; its fields are those of `Job`.

    It does not change; `refresh` returns the current state. It equals a `Job` with the same fields,
    and is pickled as a `Job`.
    """

    async def refresh(self) -> Self:
        """Return the current state of the job."""
        return await self._sender.send(Call("GET", job_path(self), type(self)))

    async def wait(
        self,
        *,
        timeout: float = 600.0,  # noqa: ASYNC109 - the last poll gets extra time
        interval: float = 0.2,
        on_progress: Callable[[Job], object] | None = None,
        progress: bool = False,
    ) -> Self:
        """Wait until the job is completed; temporary failures of the service are retried.

        Args:
            timeout: The longest wait, in seconds.
            interval: Seconds between the first two polls; the pauses grow up to 2 s.
            on_progress: A function to call with the job after each poll.
            progress: If true, show the progress on stderr.

        Returns:
            The completed job; some of its files may have failed.

        Raises:
            JobFailed: If the job failed or was canceled.
            TimeoutExceeded: If the job is not completed in time; it continues to run.
        """
        polling = Polling(timeout=timeout, interval=interval)
        job_id, seen = job_id_of(self), None
        call = Call("GET", "/process", type(self), params={"job": job_id})
        with watched(on_progress, shown=progress) as look:
            while True:
                missed: LookalikeError | None = None
                try:
                    seen = await self._sender.send(call, polling.request_seconds)
                except LookalikeError as error:
                    missed = error
                else:
                    look(seen)
                    if seen.state is JobState.COMPLETED:
                        return seen
                    if seen.state.is_final:
                        raise JobFailed(seen)
                await asyncio.sleep(polling.pause(describe_unfinished(job_id, seen), missed))

    async def events(
        self,
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - limits an outage, not the call
    ) -> AsyncIterator[Self]:
        """Yield the job now, after every change, and at its end.

        A broken connection is opened again.

        Args:
            timeout: The longest time without an answer of the service, in seconds.

        Raises:
            TimeoutExceeded: If the service does not answer for longer.
        """
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        call = Call("GET", job_path(self, "/events"), NoneType, headers=headers)
        polling = Polling(timeout=timeout, interval=0.2)
        last: Self | None = None
        while True:
            missed: LookalikeError | None = None
            had_events = False
            try:
                async with aclosing(self._sender.events(call)) as events:
                    async for event in events:
                        had_events = True
                        job = last if event.event != "job" else self._read(event)
                        if job is not None and job != last:
                            yield job
                        last = job
            except LookalikeError as error:
                missed = error
            if last is not None and last.state.is_final:
                return
            if had_events:
                polling = Polling(timeout=timeout, interval=0.2)
            pause = polling.pause(f"no events of job {self.id} arrived", missed)
            await asyncio.sleep(pause)

    async def cancel(self) -> Self:
        """Cancel an unfinished job; images that it has indexed stay.

        Raises:
            Conflict: If the job is already completed or failed.
        """
        call = Call("POST", job_path(self, "/cancel"), type(self), is_idempotent=True)
        return await self._sender.send(call)

    async def retry(self) -> Self:
        """Start a new job for the failed and unreached files of this one.

        Raises:
            Conflict: If the job is not finished, or has nothing to retry.
        """
        return await self._sender.send(Call("POST", job_path(self, "/retry"), type(self)))

    def all_errors(self) -> AsyncIterator[JobError]:
        """Yield all files that the job could not index; `errors` has only the first of them."""
        path = job_path(self, "/errors")
        return self._sender.items(Call("GET", path, Page[JobError], params={"limit": 100}))

    def _read(self, event: ServerSentEvent) -> Self:
        try:
            return self.model_validate_json(event.data, context=self._sender)
        except ValidationError as error:
            raise UnexpectedAnswer(
                f"an event of job {self.id} does not follow the API contract"
            ) from error
