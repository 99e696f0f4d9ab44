"""The service against a plain model, under restarts and kills, in whatever order Hypothesis finds.

The service is the real application with its HTTP surface, a real catalogue and a real Milvus Lite;
the model is a dictionary of what every collection holds.
"""

import hashlib
from collections.abc import Callable

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from client_sdk import ApiError, Client
from client_sdk.schemas import JobState
from tests.admin.serving import picture
from tests.chaos.light import LightServer

COLLECTIONS = ("default", "cats", "dogs")
SEEDS = range(6)
_BYTES = {hashlib.sha256(data).hexdigest(): data for data in map(picture, SEEDS)}
_DIGESTS = tuple(_BYTES)

names = st.sampled_from(COLLECTIONS)
digests = st.lists(st.sampled_from(_DIGESTS), min_size=1, max_size=3)
prices = st.integers(0, 3)


class Machine(RuleBasedStateMachine):
    """The calls of a client; every answer is compared with the model."""

    def __init__(self, make) -> None:
        super().__init__()
        self._make = make
        self.held: dict[str, dict[str, int]] = {"default": {}}  # prices by digest, by collection
        self.number: dict[int, tuple[str, str]] = {}  # collection and digest by id
        self.dead: set[int] = set()

    @initialize()
    def begin(self) -> None:
        self.service: LightServer = self._make()
        self._start()

    def _start(self) -> None:
        self.service.launch()
        self.client = Client(self.service.url, timeout=60, retries=0)
        self.client.wait_ready(timeout=120, interval=0.02)

    def teardown(self) -> None:
        self.client.close()
        self.service.kill()

    @rule(name=names, chosen=digests, price=prices)
    def upload(self, name: str, chosen: list[str], price: int) -> None:
        sent = [_BYTES[digest] for digest in chosen]
        self._trained(name, chosen, price, self.client.upload, sent)

    @rule(name=names, chosen=digests, price=prices)
    def train(self, name: str, chosen: list[str], price: int) -> None:
        folder = self.service.images / str(len(list(self.service.images.iterdir())))
        folder.mkdir()
        for number, digest in enumerate(chosen):
            (folder / f"{number}.png").write_bytes(_BYTES[digest])
        self._trained(name, chosen, price, self.client.train, folder)

    def _trained(self, name, chosen, price, call, what) -> None:
        job = call(what, collection=name, metadata={"price": price}).wait(interval=0.02)
        held = self.held.setdefault(name, {})
        new = set(chosen) - held.keys()
        assert (job.state, job.indexed) == (JobState.COMPLETED, len(new))
        assert job.duplicates == len(chosen) - len(new)
        held.update(dict.fromkeys(new, price))

    @rule(name=names)
    def create(self, name: str) -> None:
        if name in self.held:
            with pytest.raises(ApiError) as refused:
                self.client.create_collection(name)
            assert refused.value.status == 409
        else:
            self.client.create_collection(name)
            self.held[name] = {}

    @rule(name=st.sampled_from(COLLECTIONS[1:]))
    def drop(self, name: str) -> None:
        if name in self.held:
            self.client.collection(name).delete()
            del self.held[name]
        else:
            with pytest.raises(ApiError) as refused:
                self.client.collection(name).delete()
            assert refused.value.status == 404

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([one for one, held in self.held.items() if held]))
        digest = data.draw(st.sampled_from(sorted(self.held[name])))
        (image_id,) = [i.id for i in self.client.images(collection=name) if i.sha256 == digest]
        assert self.client.delete([image_id], collection=name) == 1
        assert self.client.delete([image_id], collection=name) == 0
        self.dead.add(image_id)
        del self.held[name][digest]

    @rule(name=names, price=prices)
    def delete_where(self, name: str, price: int) -> None:
        if name in self.held:
            cheap = [d for d, paid in self.held[name].items() if paid < price]
            assert self.client.delete(filter=f"price < {price}", collection=name) == len(cheap)
            for digest in cheap:
                del self.held[name][digest]

    @rule(name=names)
    def delete_all(self, name: str) -> None:
        if name in self.held:
            assert self.client.delete(all=True, collection=name) == len(self.held[name])
            self.held[name].clear()

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), price=prices)
    def change(self, data: st.DataObject, price: int) -> None:
        name = data.draw(st.sampled_from([one for one, held in self.held.items() if held]))
        digest = data.draw(st.sampled_from(sorted(self.held[name])))
        (image,) = [i for i in self.client.images(collection=name) if i.sha256 == digest]
        url = f"{self.service.url}/api/v2/images/{image.id}"
        httpx.patch(url, json={"metadata": {"price": price}}, timeout=60).raise_for_status()
        self.held[name][digest] = price

    @rule(name=names)
    def reindex(self, name: str) -> None:
        if name in self.held:
            present = {one.name: one.descriptor for one in self.client.collections()}[name]
            other = "vgg16-rmac4" if present == "vgg16-mac" else "vgg16-mac"
            self.client.collection(name).reindex(other).wait(interval=0.02)
            assert {one.name: one.descriptor for one in self.client.collections()}[name] == other

    @rule(name=names, digest=st.sampled_from(_DIGESTS), price=prices)
    def search(self, name: str, digest: str, price: int) -> None:
        if name not in self.held:
            return
        held = self.held[name]
        found = self.client.search(_BYTES[digest], collection=name, top_k=100).hits
        assert len(found) == len(held)
        if digest in held:
            assert found[0].score > 0.999
        some = self.client.search(
            _BYTES[digest], collection=name, top_k=100, filter=f"price >= {price}"
        ).hits
        assert len(some) == sum(paid >= price for paid in held.values())

    @rule()
    def restart(self) -> None:
        self.client.close()
        self.service.stop()
        self._start()

    @rule()
    def kill(self) -> None:
        self.client.close()
        self.service.kill()
        self._start()

    @invariant()
    def lists_and_counts_are_those_of_the_model(self) -> None:
        assert {one.name for one in self.client.collections()} == set(self.held)
        for name, held in self.held.items():
            images = list(self.client.images(collection=name))
            assert {i.sha256: i.metadata["price"] for i in images} == held
            assert len(images) == len(held) == self.client.count(collection=name)
            assert not {image.id for image in images} & self.dead
            for image in images:  # an id stays with its picture
                assert self.number.setdefault(image.id, (name, image.sha256)) == (
                    name,
                    image.sha256,
                )


def run_machine(make: Callable[[], Machine], *, examples: int) -> None:
    """Run a machine with the same examples each time."""
    run_state_machine_as_test(
        make,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
