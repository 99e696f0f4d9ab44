"""Real pages in Chromium: every visible change fails, and the noise of rendering passes."""

import io

import pytest
from PIL import Image

from benchmarks.visual_changes import CHANGES, NOISE, shot
from client_sdk.testing.pixels import difference


@pytest.mark.parametrize("page", CHANGES)
def test_every_visible_change_of_a_page_fails_and_noise_passes(browser, page):
    def drawn(script=""):
        return Image.open(io.BytesIO(shot(browser, page, 1, script))).convert("RGBA")

    before = drawn()

    def passed(group):
        return [name for name, js in group.items() if difference(drawn(js), before)[0].passed]

    assert passed(CHANGES[page]) == []
    assert passed(NOISE) == [*NOISE]
