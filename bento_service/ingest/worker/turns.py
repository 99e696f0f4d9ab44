"""Turns: the files of one job that a worker has leased."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from bento_service.catalogue.jobs.leases import Leases
from bento_service.catalogue.jobs.records import FileRecord, JobRecord


@dataclass
class Turn:
    """The files that the worker has leased of one job.

    Attributes:
        leased: Files that are not being read yet.
        in_flight: The number of files that are being read, described or committed.
        is_read: True once no more can be leased.
        is_uncertain: True after a failure, if files may be leased without being in this turn.
    """

    job: JobRecord
    leased: deque[FileRecord] = field(default_factory=deque)
    in_flight: int = 0
    is_read: bool = False
    is_uncertain: bool = False

    async def lease(self, leases: Leases, *, replica: int, limit: int) -> None:
        """Lease files of the job, unless some are left or all are being worked on."""
        # At the end of the list, a file can be put back on it, and another replica can end.
        if self.leased or ((self.is_read or self.is_uncertain) and self.in_flight):
            return
        if self.is_uncertain:
            await asyncio.to_thread(leases.give_back, self.job, replica=replica)
        self.is_uncertain = True  # a commit can succeed although its answer is lost
        self.leased += await asyncio.to_thread(leases.take, self.job, replica=replica, limit=limit)
        self.is_uncertain = False
        self.is_read = self.job.walked and not self.leased
