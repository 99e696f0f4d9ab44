"""The calls of the fake service that start jobs and that are about jobs."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bento_service.api.problems import parsed_json
from bento_service.api.wire import printable
from bento_service.errors import Conflict, Forbidden, InvalidArgument, PathNotFound
from bento_service.ingest.ignoring import Ignored
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Job,
    JobErrorList,
    JobList,
    JobState,
    TrainRequest,
)
from tests.fake_gallery import FakeGallery, Sent, files_under
from tests.fake_http import Answer, File, accepted, form, is_form, page


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
        metadata = json.loads(fields.get("metadata", "{}"))
        return self.gallery.train(fields.get("collection", DEFAULT_COLLECTION), sent, metadata)

    def _folder(self, body: TrainRequest) -> Job:
        if body.path is None or body.manifest or body.prune or body.dry_run:
            raise InvalidArgument("the fake service knows no manifest, prune and dry_run")
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
        known = self.gallery.claims.get(key or "")
        if known is not None and known[0] != digest:
            raise Conflict(f"the key {key!r} was used for another request")
        if known is not None:
            return httpx.Response(202, content=self.gallery.work(known[1]).job.model_dump_json())
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
        newest_first = [work.job for work in reversed(self.gallery.works.values())]
        found = [
            job
            for job in newest_first
            if (not states or job.state in states) and name in (None, job.collection)
        ]
        shown, cursor = page(given, found, 50)
        return JobList(jobs=shown, next_cursor=cursor)

    def job(self, request: httpx.Request, job_id: str) -> Answer:
        return self.gallery.work(job_id).job

    def job_errors(self, request: httpx.Request, job_id: str) -> Answer:
        return JobErrorList(errors=self.gallery.work(job_id).job.errors)

    def events(self, request: httpx.Request, job_id: str) -> Answer:
        job = self.gallery.work(job_id).job
        text = f"event: job\ndata: {job.model_dump_json()}\n\n"
        return httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})

    def cancel(self, request: httpx.Request, job_id: str) -> Answer:
        raise Conflict(f"job {job_id} is {self.gallery.work(job_id).job.state} already")

    def retry(self, request: httpx.Request, job_id: str) -> Answer:
        return accepted(self.gallery.retry(job_id))
