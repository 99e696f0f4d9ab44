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


def claim_of(key: str | None, call: str, body: Any) -> Claim | None:
    """Return the claim of an idempotency key, or none without a key.

    Args:
        key: The caller's key.
        call: The name of the call and of what its path names.
        body: The request as JSON values with all defaults filled in.
    """
    if key is None:
        return None
    canonical = json.dumps([call, body], sort_keys=True, separators=(",", ":"))
    return Claim(key, hashlib.sha256(canonical.encode()).hexdigest())


def once(app: Application, claim: Claim | None, start: Callable[[], JobRecord]) -> JobRecord:
    """Return the job of a claim, or start it.

    Raises:
        Conflict: The key was used for another request.
    """
    known = None if claim is None else app.catalogue.idempotency_keys.job_of(claim)
    return start() if known is None else app.catalogue.jobs.get(known)
