"""The public names of `client_sdk.testing`, loaded on first use."""

from client_sdk.testing.assertions import (
    assert_known,
    assert_looks_like,
    assert_nearest,
    assert_new,
    assert_no_duplicates,
    assert_similar,
)
from client_sdk.testing.mismatch import BaselinesWritten, VisualMismatch
from client_sdk.testing.mixin import VisualAssertions
from client_sdk.testing.options import Options
from client_sdk.testing.outcome import Neighbour, Outcome, PixelDifference, Region
from client_sdk.testing.pictures import Box, VisualPicture
from client_sdk.testing.scratch import ScratchCollection
from client_sdk.testing.visual import Visual

# fmt: off
__all__ = [
    "BaselinesWritten", "Box", "Neighbour", "Options", "Outcome", "PixelDifference", "Region",
    "ScratchCollection", "Visual", "VisualAssertions", "VisualMismatch", "VisualPicture",
    "assert_known", "assert_looks_like", "assert_nearest", "assert_new", "assert_no_duplicates",
    "assert_similar",
]
