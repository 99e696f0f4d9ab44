"""Calls of the embedder: descriptors are split by space, and lost connections are retried."""

import asyncio
from functools import partial

import numpy as np
import pytest

from bento_service.descriptors.describing import retrying as retrying_slowly
from bento_service.errors import NotReady

IMAGES = np.zeros((3, 4, 4, 3), np.uint8)
retrying = partial(retrying_slowly, pauses=(0.0, 0.0, 0.0))
JOINED = np.arange(18, dtype=np.float32).reshape(3, 6)


def failing(times, error):
    """Return an embedder that fails a number of times before it answers."""
    calls = []

    async def embed(images):
        calls.append(len(images))
        if len(calls) <= times:
            raise error
        return JOINED

    return embed, calls


def test_the_spaces_are_split_in_their_order():
    embed, _ = failing(0, None)
    given = asyncio.run(retrying(embed, {"f": 2, "e": 3, "d": 1})(IMAGES))
    assert {name: rows.tolist() for name, rows in given.items()} == {
        "f": [[0, 1], [6, 7], [12, 13]],
        "e": [[2, 3, 4], [8, 9, 10], [14, 15, 16]],
        "d": [[5], [11], [17]],
    }


def test_one_space_is_the_whole_answer():
    embed, _ = failing(0, None)
    assert asyncio.run(retrying(embed, {"f": 6})(IMAGES))["f"].tolist() == JOINED.tolist()


def test_a_lost_connection_is_tried_again():
    embed, calls = failing(2, ConnectionResetError())
    asyncio.run(retrying(embed, {"f": 6})(IMAGES))
    assert calls == [3, 3, 3]


def test_an_embedder_that_stays_away_is_reported():
    embed, calls = failing(9, ConnectionRefusedError())
    with pytest.raises(NotReady, match="the embedder does not answer"):
        asyncio.run(retrying(embed, {"f": 6})(IMAGES))
    assert len(calls) == 3


def test_other_failures_are_not_repeated():
    embed, calls = failing(1, ValueError("images"))
    with pytest.raises(ValueError, match="images"):
        asyncio.run(retrying(embed, {"f": 6})(IMAGES))
    assert len(calls) == 1
