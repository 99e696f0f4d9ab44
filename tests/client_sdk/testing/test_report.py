"""The HTML report."""

import base64
import hashlib
import io
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from PIL import Image

from client_sdk.testing import Neighbour, Outcome
from client_sdk.testing.artefacts import keep
from client_sdk.testing.outcome import Judged
from client_sdk.testing.pictures import as_png
from client_sdk.testing.report import embedding, render

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
NASTY = "<img src=x onerror=alert(1)>\"'&.png"


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.code = {"script": "", "style": ""}
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside in self.code:
            self.code[self._inside] += data
        else:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def failure(tmp_path):
    """Return a function that makes a failure with pictures of a size, kept below `tmp_path`."""

    def make(name="page.png", test="test_page.py::test_page", side=64, **changes):
        noise = Image.effect_noise((side, side), 80).convert("RGB")
        pictures = {role: as_png(noise) for role in ("actual", "expected", "diff")}
        outcome = Outcome(
            **{
                "assertion": "assert_similar",
                "name": name,
                "test": test,
                "passed": False,
                "reason": f"it does not look like {name}",
                "score": 0.9,
                "threshold": 0.99,
                **changes,
            }
        )
        return keep(Judged(outcome, pictures), tmp_path).outcome

    return make


PASSED = Outcome(assertion="assert_similar", name="fine.png", passed=True, reason="it does")


def test_a_report_shows_every_failure_and_counts_the_rest(failure, tmp_path):
    failures = [failure(number=number) for number in (1, 2)]
    page = Page(render(tmp_path, [*failures, PASSED, PASSED, PASSED], now=NOW))

    assert len(page.all("article")) == 2
    assert [one["class"] for one in page.all("li") if one.get("class")] == ["bad", "good"]
    assert "2 failed" in " ".join(page.text.split())
    assert "3 passed" in " ".join(page.text.split())
    assert len(page.all("img")) == 6


@pytest.mark.parametrize(
    ("assertion", "meaning"),
    [
        ("assert_similar", "0.9000 where 1 is the same picture; the pixels decide"),
        ("assert_looks_like", "0.9000 required: at least 0.9900"),
        ("assert_new", "0.9000 required: below 0.9900"),
    ],
)
def test_a_score_is_shown_with_its_meaning(assertion, meaning, failure, tmp_path):
    page = Page(render(tmp_path, [failure(assertion=assertion)], now=NOW))
    assert meaning in " ".join(page.text.split())


def test_pictures_are_embedded_in_the_page(failure, tmp_path):
    page = Page(render(tmp_path, [failure()], now=NOW))
    sources = [one["src"] for one in page.all("img")]
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    first = Image.open(io.BytesIO(base64.b64decode(sources[0].partition(",")[2])))
    assert (first.format, first.size) == ("WEBP", (64, 64))


def test_the_page_loads_nothing_and_runs_only_its_own_code(failure, tmp_path):
    page = Page(render(tmp_path, [failure()], now=NOW))
    (policy,) = [one["content"] for one in page.all("meta") if one.get("http-equiv")]
    for kind, code in page.code.items():
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert page.all("link") == []
    addresses = [one.get("src") or one.get("href") or "" for _, one in page.elements]
    assert [each for each in addresses if ":" in each and not each.startswith("data:image/")] == []
    assert [one for _, one in page.elements if any(name.startswith("on") for name in one)] == []
    assert [one for _, one in page.elements if "style" in one] == []


def test_names_are_text_and_never_markup(failure, tmp_path):
    nearest = (Neighbour(name=NASTY, score=0.5),)
    one = failure(name=NASTY, test=NASTY, nearest=nearest, evidence=(NASTY,), baseline=NASTY)
    page = Page(render(tmp_path, [one], now=NOW))
    assert {image.get("class") for image in page.all("img")} == {"shot"}
    assert page.text.count(NASTY) >= 6


def test_links_open_the_files_next_to_the_report(failure, tmp_path):
    page = Page(render(tmp_path, [failure(name="a page #1?.png")], now=NOW))
    links = [one["href"] for one in page.all("a") if not one["href"].startswith("#")]
    assert len(links) == 4
    assert all((tmp_path / link).is_file() for link in links)


def test_the_page_shows_the_places_and_the_accept_command(failure, tmp_path):
    regions = [{"what": "moved", "box": (4, 8, 30, 20), "pixels": 99, "by": (0, -7)}]
    size = {"size": (64, 64), "expected_size": (64, 64)}
    pixels = {**size, "differing": 99, "places": 8, "regions": regions}
    one = failure(pixels=pixels, baseline="__visual__/page.png", notes=("a remark",))
    text = " ".join(Page(render(tmp_path, [one, one], now=NOW)).text.split())
    assert "moved 30 x 20 pixels at (4, 8); moved 7 up" in text
    assert "8 places" in text
    assert "3 more places" in text
    assert "a remark" in text
    assert f"pytest --visual-accept={tmp_path / one.folder}" in text
    assert f"To accept all pictures of this report: pytest --visual-accept={tmp_path}" in text


def test_many_failures_share_a_budget(failure, tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "BUDGET_BYTES", 2_400_000)
    one = failure(side=400)
    text = render(tmp_path, [one] * 20, now=NOW)
    assert len(Page(text).all("img")) == 60
    without = len(render(tmp_path, [one.model_copy(update={"pictures": {}})] * 20, now=NOW))
    assert len(text) - without < 60 * (2_400_000 / 60 * 4 / 3 + 400)


def test_a_missing_picture_is_omitted(failure, tmp_path):
    one = failure()
    (tmp_path / one.folder / "diff.png").unlink()
    assert len(Page(render(tmp_path, [one], now=NOW)).all("img")) == 2


def test_a_run_without_failures_has_a_report(tmp_path):
    page = Page(render(tmp_path, [PASSED], now=NOW))
    assert page.all("article") == []
    assert "1 visual assertion, none failed" in page.text


def test_written_baselines_are_shown_for_review(failure, tmp_path):
    page = Page(render(tmp_path, [failure(written=True)], now=NOW))
    assert "1 to review" in " ".join(page.text.split())
    assert "Former baseline" in page.text
