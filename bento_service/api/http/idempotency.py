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
        description="The same request again under this key, within 24 hours, is answered with the "
        "job that the first one started; another request is a conflict.",
    ),
]


def claim_of(key: str | None, call: str, body: Any) -> Claim | None:
    """What a key stands for; none without a key.

    Args:
        key: The caller's.
        call: Which call, with what its path names.
        body: What it asks for, as JSON values with all defaults filled in.
    """
    if key is None:
        return None
    canonical = json.dumps([call, body], sort_keys=True, separators=(",", ":"))
    return Claim(key, hashlib.sha256(canonical.encode()).hexdigest())


def once(app: Application, claim: Claim | None, start: Callable[[], JobRecord]) -> JobRecord:
    """The job that was started under a claim; else the one that starts now.

    Raises:
        Conflict: Something else was asked for under that key.
    """
    known = None if claim is None else app.catalogue.idempotency_keys.job_of(claim)
    return start() if known is None else app.catalogue.jobs.get(known)
