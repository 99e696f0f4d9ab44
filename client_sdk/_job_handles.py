"""Jobs that know the client which they came from."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import PrivateAttr

from client_sdk.errors import UsageError
from client_sdk.schemas import Job, JobError

if TYPE_CHECKING:
    from client_sdk._async_jobs import AsyncJobCalls
    from client_sdk._jobs import JobCalls


class _Handle(Job):
    """What both handles have in common: they are equal to the job that they stand for."""

    _calls: Any = PrivateAttr(default=None)

    @classmethod
    def of(cls, job: Job, calls: object) -> Self:
        """A job, with the client that told of it."""
        handle = cls.model_validate(job.model_dump(exclude_unset=True))
        handle._calls = calls
        return handle

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Job):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Job.model_fields)

    __hash__ = Job.__hash__

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self  # it is frozen, and the client cannot be copied

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process gets the job alone: the connections stay here.
        return Job.model_validate, (self.model_dump(),)

    def _told_by(self) -> Any:
        if self._calls is None:
            raise UsageError(f"job {self.id} came from no client; give it to one, as client.wait")
        return self._calls


class JobHandle(_Handle):
    """A job as `Client` returns it: frozen, as it was when it was told, and what to do with it.

    Equal to the `Job` with the same fields; a pickled one becomes that.
    """

    def wait(
        self,
        *,
        timeout: float = 600.0,
        interval: float = 0.2,
        on_progress: Callable[[Job], object] | None = None,
        progress: bool = False,
    ) -> "JobHandle":
        """Wait until it is completed; see `Client.wait`."""
        return self._client.wait(
            self, timeout=timeout, interval=interval, on_progress=on_progress, progress=progress
        )

    def refresh(self) -> "JobHandle":
        """The same job as it is now."""
        return self._client.job(self)

    def cancel(self) -> "JobHandle":
        """End it; see `Client.cancel`."""
        return self._client.cancel(self)

    def retry(self) -> "JobHandle":
        """Try again what failed or was not reached, as a new job; see `Client.retry`."""
        return self._client.retry(self)

    def events(self, *, timeout: float = 60.0) -> Iterator["JobHandle"]:
        """Follow it; see `Client.events`."""
        return self._client.events(self, timeout=timeout)

    def all_errors(self) -> Iterator[JobError]:
        """Walk over all files that it could not index; `errors` are the first of them."""
        return self._client.job_errors(self)

    @property
    def _client(self) -> "JobCalls":
        return cast("JobCalls", self._told_by())


class AsyncJobHandle(_Handle):
    """A job as `AsyncClient` returns it: `JobHandle` with `await`."""

    async def wait(
        self,
        *,
        timeout: float = 600.0,  # noqa: ASYNC109 - as in `JobHandle`
        interval: float = 0.2,
        on_progress: Callable[[Job], object] | None = None,
        progress: bool = False,
    ) -> "AsyncJobHandle":
        """Wait until it is completed; see `Client.wait`."""
        return await self._client.wait(
            self, timeout=timeout, interval=interval, on_progress=on_progress, progress=progress
        )

    async def refresh(self) -> "AsyncJobHandle":
        """The same job as it is now."""
        return await self._client.job(self)

    async def cancel(self) -> "AsyncJobHandle":
        """End it; see `Client.cancel`."""
        return await self._client.cancel(self)

    async def retry(self) -> "AsyncJobHandle":
        """Try again what failed or was not reached, as a new job; see `Client.retry`."""
        return await self._client.retry(self)

    def events(
        self,
        *,
        timeout: float = 60.0,
    ) -> AsyncIterator["AsyncJobHandle"]:
        """Follow it; see `Client.events`."""
        return self._client.events(self, timeout=timeout)

    def all_errors(self) -> AsyncIterator[JobError]:
        """Walk over all files that it could not index; `errors` are the first of them."""
        return self._client.job_errors(self)

    @property
    def _client(self) -> "AsyncJobCalls":
        return cast("AsyncJobCalls", self._told_by())
