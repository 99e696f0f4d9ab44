"""The calls of a client until the service dies: one thread for each collection.

A thread is the only one that changes its collection, so its ledger is exact. Every operation writes
down what it may change before it is sent, and what it changed when it was acknowledged.
"""

import hashlib
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import httpx

from client_sdk import ApiError, Client, LookalikeError
from tests.admin.serving import picture
from tests.chaos.ledger import EITHER, Fault, Finding, Ledger, Picture
from tests.support.waiting import join

_FEW = 6
_MANY = 12
_ON_THE_WAY = 4
_A_CALL = 3
_PAUSE = 0.01
_BUSY_STATUSES = (429, 503, 507)
_ALTERNATIVES = ("vgg16-mac", "vgg16-rmac4")


class Caller:
    """Works on one collection, one call after the other."""

    def __init__(
        self,
        url: str,
        ledger: Ledger,
        folder: Path,
        seeds: Sequence[int],
        random_: random.Random,
        *,
        is_scratch: bool = False,
    ) -> None:
        """Prepare.

        Args:
            url: Of the service.
            ledger: What is known of the collection.
            folder: An image root.
            seeds: Of the pictures that this caller may use.
            random_: Decides everything.
            is_scratch: Whether the collection is deleted and made again.
        """
        self._is_scratch = is_scratch
        self.ledger = ledger
        self.findings: list[Finding] = []
        # Reading the system's certificates would take longer than most calls.
        self._client = Client(url, timeout=30, transport=httpx.HTTPTransport(verify=False))
        self._http = httpx.Client(base_url=url, timeout=30, verify=False)  # noqa: S501
        self._folder = folder / ledger.collection
        self._random = random_
        self._bytes = {hashlib.sha256(data).hexdigest(): data for data in map(picture, seeds)}
        for digest, seed in zip(self._bytes, seeds, strict=True):
            ledger.pictures.setdefault(digest, Picture(seed))

    def close(self) -> None:
        self._client.close()
        self._http.close()

    def do(self, operation: str) -> None:
        """Do one operation.

        Raises:
            LookalikeError: The service is away; whether it did it is not known.
        """
        getattr(self, operation)()

    def some_operation(self) -> str:
        """Choose the next operation: add if there are few pictures, delete if there are many."""
        if self.ledger.exists == {False}:
            return self._random.choice(["create", "upload"])
        held = len(self.ledger.ids())
        weights = {
            "upload": 6 if held < _MANY else 1,
            "train": 3 if held < _MANY else 1,
            "delete": 4 if held > _FEW else 1,
            "delete_where": 2 if held > _FEW else 0,
            "delete_all": 0.3 if held > _FEW else 0,
            "patch": 3,
            "search": 4,
            "look": 3,
            "reindex": 0.5,
            "undo": 0.2,
            "forget": 0.2,
            "drop": 1 if self._is_scratch else 0,
        }
        return self._random.choices(list(weights), list(weights.values()))[0]

    @contextmanager
    def _refusable(self) -> Iterator[None]:
        """Restore the ledger if the service answers that it did nothing."""
        before = deepcopy(self.ledger)
        try:
            yield
        except ApiError as error:
            if error.status < 500 or error.status in _BUSY_STATUSES:
                vars(self.ledger).update(vars(before))
            if error.status not in (404, 409, *_BUSY_STATUSES):
                detail = f"{self.ledger.collection}: {error.status} {error}"
                self.findings.append(Finding(Fault.REFUSED, detail))
            raise

    def _some_absent(self) -> list[str]:
        """Pictures to send; none while many are on their way, since describing takes its time."""
        if sum(one.job is not None for one in self.ledger.pictures.values()) >= _ON_THE_WAY:
            return []
        absent = [d for d in self._bytes if self.ledger.pictures[d].is_gone]
        known = [d for d in self._bytes if self.ledger.pictures[d].is_here]
        chosen = self._random.sample(absent, min(len(absent), self._random.randint(1, _A_CALL)))
        if known and self._random.random() < 0.3:  # the same bytes once more
            chosen.append(self._random.choice(known))
        return chosen

    def _some_present(self) -> list[str]:
        here = [d for d in self._bytes if self.ledger.pictures[d].is_here]
        return self._random.sample(here, min(len(here), self._random.randint(1, _A_CALL)))

    def upload(self) -> None:
        digests = self._some_absent()
        if not digests:
            return
        metadata = {"batch": self._random.randrange(10**9)}
        with self._refusable():
            self.ledger.bringing(digests, metadata)
            sent = [self._bytes[digest] for digest in digests]
            job = self._client.upload(sent, collection=self.ledger.collection, metadata=metadata)
            self.ledger.brought(digests, job)

    def train(self) -> None:
        digests = self._some_absent()
        if not digests:
            return
        metadata = {"batch": self._random.randrange(10**9)}
        folder = self._folder / str(metadata["batch"])
        folder.mkdir(parents=True)
        for digest in digests:
            (folder / f"{digest[:12]}.png").write_bytes(self._bytes[digest])
        with self._refusable():
            self.ledger.bringing(digests, metadata)
            job = self._client.train(folder, collection=self.ledger.collection, metadata=metadata)
            self.ledger.brought(digests, job)

    def delete(self) -> None:
        digests = self._some_present()
        if not digests:
            return
        ids = [self.ledger.pictures[digest].image_id for digest in digests]
        with self._refusable():
            self.ledger.removing(digests)
            self._client.delete(
                [one for one in ids if one is not None], collection=self.ledger.collection
            )
            self.ledger.removed(digests)

    def delete_where(self) -> None:
        """Delete a batch of which everything is known."""
        here = self._some_present()
        batch = self.ledger.pictures[here[0]].metadata[0].get("batch") if here else None
        digests = [
            d
            for d, one in self.ledger.pictures.items()
            if any(m.get("batch") == batch for m in one.metadata)
        ]
        if batch is None or not all(self.ledger.pictures[d].is_here for d in digests):
            return
        with self._refusable():
            self.ledger.removing(digests)
            self._client.delete(filter=f"batch == {batch}", collection=self.ledger.collection)
            self.ledger.removed(digests)

    def delete_all(self) -> None:
        here = [d for d, one in self.ledger.pictures.items() if not one.is_gone]
        with self._refusable():
            self.ledger.removing(here)
            self._client.delete(all=True, collection=self.ledger.collection)
            self.ledger.removed(here)  # but for what an open job brings, perhaps after it

    def patch(self) -> None:
        for digest in self._some_present()[:1]:
            one = self.ledger.pictures[digest]
            metadata = {"patched": self._random.randrange(10**9)}
            with self._refusable():
                one.metadata = (*one.metadata, metadata)
                url = f"/api/v2/images/{one.image_id}"
                try:
                    answer = self._http.patch(url, json={"metadata": metadata})
                except httpx.HTTPError as error:
                    raise LookalikeError(str(error)) from error
                if answer.status_code == 200:
                    one.metadata = (metadata,)
                elif answer.status_code in _BUSY_STATUSES:
                    one.metadata = one.metadata[:-1]
                else:
                    self.findings.append(Finding(Fault.REFUSED, f"{url}: {answer.text}"))

    def search(self) -> None:
        """Search, and check that acknowledged images are found and deleted ones not."""
        for digest in self._some_present()[:1]:
            one = self.ledger.pictures[digest]
            assert one.image_id is not None
            with self._refusable():
                answer = self._client.search(
                    one.image_id, collection=self.ledger.collection, top_k=1000
                )
            self.findings += found_wrongly(self.ledger, {hit.image_id for hit in answer.hits})

    def look(self) -> None:
        """Progress, and what is there by now."""
        for job_id, job in list(self.ledger.jobs.items()):
            if not job.state.is_final:
                self.findings += self.ledger.progressed(self._client.job(job_id))
        images = list(self._client.images(collection=self.ledger.collection))
        self.findings += self.ledger.compared(images, final=False)

    def reindex(self) -> None:
        with self._refusable():
            held = {one.name: one.descriptor for one in self._client.collections()}
            others = [one for one in _ALTERNATIVES if one != held.get(self.ledger.collection)]
            job = self._client.collection(self.ledger.collection).reindex(others[0])
            assert job.id is not None
            self.ledger.jobs[job.id] = job

    def undo(self) -> None:
        with self._refusable():
            self._client.collection(self.ledger.collection).undo_reindex()

    def forget(self) -> None:
        with self._refusable():
            self._client.collection(self.ledger.collection).forget_reindex()

    def create(self) -> None:
        with self._refusable():
            if self.ledger.exists == {False}:
                self.ledger.exists = EITHER
                self._client.create_collection(self.ledger.collection)
                self.ledger.exists = frozenset({True})

    def drop(self) -> None:
        with self._refusable():
            self.ledger.exists |= {False}
            self._client.collection(self.ledger.collection).delete()
            self.ledger.gone()


def found_wrongly(ledger: Ledger, found: set[int]) -> list[Finding]:
    """Return the images that a search for everything lacks or should not have."""
    findings = []
    if missing := ledger.ids() - found:
        findings.append(Finding(Fault.LOST, f"{ledger.collection}: {missing} are not found"))
    if dead := found & ledger.dead:
        findings.append(Finding(Fault.GHOST, f"{ledger.collection}: {dead} are found"))
    return findings


class Load:
    """Callers in threads of their own. Start them with `with`; they end when the service does."""

    def __init__(
        self, callers: Sequence[Caller], first: Sequence[str], pause: float = _PAUSE
    ) -> None:
        """Prepare.

        Args:
            callers: One a thread.
            first: Operations that the first caller begins with.
            pause: Seconds between two operations.
        """
        self._pause = pause
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(caller, list(first) if number == 0 else []))
            for number, caller in enumerate(callers)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        join(*self._threads)

    def _run(self, caller: Caller, first: list[str]) -> None:
        while not self._stopping.wait(self._pause):
            operation = first.pop(0) if first else caller.some_operation()
            try:
                caller.do(operation)
            except ApiError:
                continue  # a refusal; written down where it should not be
            except LookalikeError:
                return  # gone
