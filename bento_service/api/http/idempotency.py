"""The `Idempotency-Key` header: the same call twice under one key starts one job."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header

from bento_service.application import Application
from bento_service.catalogue.jobs.records import Claim, JobRecord

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[ -~]+$",
        description="Repeating the same request with this key within 24 hours returns the job "
        "that the first one started; another request with it is a conflict.",
    ),
]


def start_once(
    app: Application,
    key: str | None,
    call: str,
    body: Callable[[], Any],
    start: Callable[[Claim | None], JobRecord],
) -> JobRecord:
    """Start a job, or return the job that the same call has started under this key.

    `call` names the route and the resource, `body` returns the JSON values with all defaults.

    Raises:
        Conflict: The key was used for another request.
    """
    if key is None:
        return start(None)
    canonical = json.dumps([call, body()], sort_keys=True, separators=(",", ":"))
    claim = Claim(key, hashlib.sha256(canonical.encode()).hexdigest())
    known = app.catalogue.idempotency_keys.job_of(claim)
    return start(claim) if known is None else app.catalogue.jobs.get(known)
