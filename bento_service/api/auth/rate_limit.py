"""Rate limits by a token bucket for each caller (Turner, 1986)."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_BURST_SECONDS = 2.0
_MAX_CALLERS = 10_000


@dataclass
class _Bucket:
    left: float
    at: float


class Rates:
    """An average rate limit with short bursts of twice the rate; `None` for no limit."""

    def __init__(
        self, per_second: float | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, caller: str) -> int:
        """Count a request and return 0, or return the whole seconds to wait without counting it."""
        if self._per_second is None:
            return 0
        most = max(1.0, self._per_second * _BURST_SECONDS)
        now = self._clock()
        bucket = self._buckets.pop(caller, None) or _Bucket(most, now)
        bucket.left = min(most, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        self._buckets[caller] = bucket
        if len(self._buckets) > _MAX_CALLERS:
            self._buckets.popitem(last=False)  # the least recently used
        if bucket.left < 1.0:
            return math.ceil((1.0 - bucket.left) / self._per_second)
        bucket.left -= 1.0
        return 0
