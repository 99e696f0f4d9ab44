from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bento_service.catalogue import Catalogue
from tests.chaos.light import Forge
from tests.replicas.pair import Pair
from tests.support.milvus_server import MilvusServer


@pytest.fixture
def shared_url(new_postgresql_database) -> str:
    """Return the URL of an empty database in PostgreSQL."""
    return str(new_postgresql_database())


@pytest.fixture
def shared(shared_url: str) -> Iterator[Catalogue]:
    """Yield a catalogue that several replicas can use."""
    with Catalogue.open(shared_url) as opened:
        yield opened


@pytest.fixture
def new_pair(
    tmp_path: Path, forge: Forge, shared_url: str, milvus_server: MilvusServer
) -> Iterator[Callable[..., Pair]]:
    """Starts two replicas with an empty catalogue."""
    made: list[Pair] = []

    def make(**options: Any) -> Pair:
        made.append(Pair(tmp_path / "pair", forge, shared_url, milvus_server.uri, **options))
        return made[-1].start()

    yield make
    for pair in made:
        pair.kill()
