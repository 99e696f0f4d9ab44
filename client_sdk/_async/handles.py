"""Jobs and collections, with the methods that act on one of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from types import NoneType
from typing import Self

from client_sdk._arguments import checked
from client_sdk._async.connection import AsyncConnection
from client_sdk._async.results import AsyncBound
from client_sdk._calls.call import Call, Page, job_id_of, job_path, key_header, segment
from client_sdk._progress import showing
from client_sdk._transport.polling import Polling
from client_sdk.errors import JobFailed, LookalikeError
from client_sdk.schemas import Collection, Job, JobError, JobState


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
        job_id = job_id_of(self)
        awaited = f"job {job_id} could not be requested"
        call = Call("GET", "/process", type(self), fields={"job": job_id})
        with showing(shown=progress) as show:
            while True:
                missed: LookalikeError | None = None
                try:
                    seen = await self._sender.send(call, polling.request_seconds)
                except LookalikeError as error:
                    missed = error
                else:
                    if show is not None:
                        show(seen)
                    if on_progress is not None:
                        on_progress(seen)
                    if seen.state is JobState.COMPLETED:
                        return seen
                    if seen.state.is_final:
                        raise JobFailed(seen)
                    progressed = f"{seen.state} with {seen.done} of {seen.total}"
                    awaited = f"job {job_id} is still {progressed}; it continues"
                await asyncio.sleep(polling.pause(awaited, missed))

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
        call = Call("GET", job_path(self, "/events"), type(self), headers=headers)
        polling = Polling(timeout=timeout, interval=0.2)
        last: Self | None = None
        while True:
            missed: LookalikeError | None = None
            try:
                async with aclosing(self._sender.events(call)) as events:
                    async for event in events:
                        polling = Polling(timeout=timeout, interval=0.2)
                        if event.event == "job":
                            job = call.parsed(event.data, self._sender)
                            if job != last:
                                yield job
                            last = job
            except LookalikeError as error:
                missed = error
            if last is not None and last.state.is_final:
                return
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
        return self._sender.items(Call("GET", path, Page[JobError], fields={"limit": 100}))


@checked
@dataclass(frozen=True, slots=True)
class AsyncCollectionHandle:
    """A collection by its name, with methods that delete and reindex it."""

    name: str
    _connection: AsyncConnection = field(repr=False)

    async def delete(self) -> None:
        """Delete the collection and its images."""
        await self._connection.send(Call("DELETE", self._path(), NoneType))

    async def reindex(
        self,
        descriptor: str | None = None,
        *,
        drop_missing: bool = False,
        idempotency_key: str | None = None,
    ) -> AsyncJobHandle:
        """Start to describe all images of the collection again; searches continue to work.

        Args:
            descriptor: The name of the new descriptor; by default the service chooses.
            drop_missing: If true, delete images whose originals are gone; if false, such an image
                prevents the switch to the new descriptors.
            idempotency_key: The same as in `train`.
        """
        fields = {"descriptor": descriptor, "drop_missing": drop_missing}
        headers = key_header(idempotency_key)
        call = Call("POST", self._path("/reindex"), AsyncJobHandle, fields=fields, headers=headers)
        return await self._connection.send(call)

    async def undo_reindex(self) -> Collection:
        """Switch searches back to the former descriptors; a second call reverts the first."""
        return await self._connection.send(Call("POST", self._path("/reindex/undo"), Collection))

    async def forget_reindex(self) -> None:
        """Cancel an unfinished reindex, and drop the former descriptors."""
        await self._connection.send(Call("DELETE", self._path("/reindex"), NoneType))

    def _path(self, verb: str = "") -> str:
        return f"/collections/{segment(self.name)}{verb}"
