"""The calls of the fake service that start jobs and that are about jobs."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bento_service.api.http.problems import parsed_json
from bento_service.api.pages import JobErrorList, JobList
from bento_service.api.wire import printable
from bento_service.errors import Conflict, Forbidden, InvalidArgument, PathNotFound
from bento_service.filters.values import check_metadata
from bento_service.requests import TrainRequest
from bento_service.storage.ignore_patterns import Ignored
from bento_service.strict_json import JsonError, read_json
from client_sdk.schemas import DEFAULT_COLLECTION, Job, JobState
from tests.support.fake_gallery import FakeGallery, Sent, files_under
from tests.support.fake_http import Answer, File, accepted, event, form, is_form, page


class FakeJobs:
    """Training and its jobs, which are done at once.

    Args:
        root: A folder that may be trained by path, named as it is; none by default.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.gallery = FakeGallery()
        self._root = root

    def train(self, request: httpx.Request) -> Answer:
        if is_form(request):
            fields, files = form(request)
            names = [(one, hashlib.sha256(content).hexdigest()) for _, one, content in files]
            return self._once(request, [fields, names], lambda: self._upload(fields, files))
        body = TrainRequest.model_validate(parsed_json(request.content))
        return self._once(request, body.model_dump(mode="json"), lambda: self._folder(body))

    def _upload(self, fields: dict[str, str], files: list[File]) -> Job:
        if not files or any(field != "files" for field, _, _ in files):
            raise InvalidArgument("the form has no file in its field 'files'; send one")
        sent = [
            (name.replace("\0", "").strip("/") or f"upload-{number}", content)
            for number, (_, name, content) in enumerate(files, 1)
        ]
        try:
            metadata = read_json(fields.get("metadata", "{}"))
        except JsonError as error:
            raise InvalidArgument(f"metadata {error}") from error
        check_metadata(metadata)
        return self.gallery.train(fields.get("collection", DEFAULT_COLLECTION), sent, metadata)

    def _folder(self, body: TrainRequest) -> Job:
        if "\0" in (body.path or ""):
            raise InvalidArgument("the path has a NUL character")
        if body.path is None or body.manifest or body.prune or body.dry_run:
            raise InvalidArgument("the fake service knows no manifest, prune and dry_run")
        check_metadata(body.metadata)
        root = Path("/nowhere") if self._root is None else self._root.resolve()
        path = (root / body.path).resolve()
        if not path.is_relative_to(root):
            raise Forbidden("the path lies under no image root")
        if not path.exists():
            raise PathNotFound(f"there is no {body.path!r} under the image root")
        ignored = Ignored(body.ignore)
        sent: list[Sent] = [
            (printable(one.relative_to(root).as_posix()), one.read_bytes())
            for one in files_under(path, recursive=body.recursive)
            if not ignored.file(one.relative_to(path).as_posix())
        ]
        source = f"{root.name}/{path.relative_to(root).as_posix()}".removesuffix("/.")
        return self.gallery.train(
            body.collection, sent, body.metadata, kind="file", root=root.name, source=source
        )

    def _once(self, request: httpx.Request, body: Any, start: Callable[[], Job]) -> Answer:
        key = request.headers.get("idempotency-key")
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        if key is not None and not re.fullmatch(r"[ -~]{1,255}", key):
            raise InvalidArgument("Idempotency-Key: give 1 to 255 printable characters")
        known = self.gallery.claims.get(key or "")
        if known is not None and known[0] != digest:
            raise Conflict(f"the key {key!r} was used for another request")
        if known is not None:
            return accepted(self.gallery.work(known[1]).job, is_new=False)
        job = start()
        if key and job.id:
            self.gallery.claims[key] = (digest, job.id)
        return accepted(job)

    def process(self, request: httpx.Request) -> Answer:
        job_id = request.url.params.get("job")
        if job_id is not None:
            return self.gallery.work(job_id).job
        if not self.gallery.works:
            none = dict.fromkeys(("total", "done", "indexed", "duplicates", "failed"), 0)
            return Job(id=None, collection=DEFAULT_COLLECTION, state=JobState.IDLE, **none)
        return list(self.gallery.works.values())[-1].job

    def jobs(self, request: httpx.Request) -> Answer:
        given = request.url.params
        states, name = given.get_list("state"), given.get("collection")
        if unknown := set(states) - set(JobState):
            raise InvalidArgument(f"state: there is no {unknown.pop()!r}")
        found = [
            job
            for job in (work.job for work in self.gallery.works.values())
            if (not states or job.state in states) and name in (None, job.collection)
        ]
        shown, cursor = page(given, found, 50, newest_first=True)
        return JobList(jobs=shown, next_cursor=cursor)

    def job(self, request: httpx.Request, job_id: str) -> Answer:
        return self.gallery.work(job_id).job

    def job_errors(self, request: httpx.Request, job_id: str) -> Answer:
        return JobErrorList(errors=self.gallery.work(job_id).job.errors)

    def events(self, request: httpx.Request, job_id: str) -> Answer:
        return event(self.gallery.work(job_id).job, request.headers.get("last-event-id"))

    def cancel(self, request: httpx.Request, job_id: str) -> Answer:
        raise Conflict(f"job {job_id} is {self.gallery.work(job_id).job.state} already")

    def retry(self, request: httpx.Request, job_id: str) -> Answer:
        return accepted(self.gallery.retry(job_id))
