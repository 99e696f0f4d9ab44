"""The verdicts on the hits of a search, which are those of comparing the query with each hit."""

import asyncio
import hashlib
import io
import threading

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from bento_service.catalogue.images.hashes import Hashes
from bento_service.catalogue.jobs.records import Described
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.comparison.comparer import Comparer
from bento_service.comparison.hit_verdicts import CONFIRMED_HITS, HitVerdicts
from bento_service.descriptors.describer import Describer
from bento_service.descriptors.version import Thresholds
from bento_service.errors import ImageNotFound
from bento_service.gallery.exact import ExactGallery
from bento_service.pictures.miniature import prints_of
from bento_service.pictures.perceptual_hash import stored
from bento_service.search.picture_searcher import PictureSearcher
from bento_service.search.query import Query
from client_sdk import Verdict
from tests.support.indexes import commit
from tests.support.local_decoder import LocalDecoder

SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 4, "fp32")
LINES = {SPACE.fingerprint: Thresholds(duplicate=0.95, near_duplicate=0.9)}
COMPUTED = Computed((SPACE,))
DUPLICATE, NEAR, SIMILAR = Verdict.DUPLICATE, Verdict.NEAR_DUPLICATE, Verdict.SIMILAR


async def first_axis(pictures):
    """Describe every query by the first axis: a stored image's score is its first number."""
    return {SPACE.fingerprint: np.eye(4, dtype=np.float32)[[0] * len(pictures)]}


DESCRIBER = Describer(LocalDecoder(10**6), first_axis, side=224)


class NoOriginals:
    def read(self, image):
        raise ImageNotFound(f"the original of image {image.id} is gone")


def png(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def described(content, score, **known):
    """Return a picture as a job indexes it, but with this score."""
    picture = DESCRIBER.decode(content)
    hashes, miniature = prints_of(picture.pixels)
    prints = {"hashes": stored(hashes), "miniature": miniature.tobytes()}
    vector = np.array([score, np.sqrt(1 - score**2), 0, 0], np.float32)
    return Described(
        sha256=hashlib.sha256(content).hexdigest(),
        format=picture.format,
        width=picture.width,
        height=picture.height,
        bytes=len(content),
        descriptors={SPACE.fingerprint: vector},
        **prints | known,
    )


def named(pictures):
    return {f"{number}.png": picture for number, picture in enumerate(pictures)}


def cropped_with_banner(picture):
    width, height = picture.size
    copy = picture.crop((0, 0, width * 19 // 20, height * 19 // 20))
    top = copy.height * 44 // 100
    ImageDraw.Draw(copy).rectangle((0, top, copy.width, top + copy.height // 10), "yellow")
    return copy


@pytest.fixture
def coffee(photographs):
    return Image.open(photographs / "coffee.jpg").convert("RGB")


@pytest.fixture
def rocket(photographs):
    return Image.open(photographs / "rocket.jpg").convert("RGB")


@pytest.fixture
def cats(catalogue):
    return catalogue.collections.create("cats", SPACE)


@pytest.fixture
def searcher(catalogue):
    with ExactGallery(catalogue.descriptors.of_index) as gallery:
        judge = HitVerdicts(catalogue, LINES)
        yield PictureSearcher(catalogue, gallery, DESCRIBER, computed=COMPUTED, judge=judge)


@pytest.fixture
def comparer(catalogue):
    return Comparer(catalogue, NoOriginals(), DESCRIBER, computed=COMPUTED, lines=LINES)


@pytest.fixture
def agreeing(searcher, comparer):
    """Search with a picture or an id; return the verdicts by id, those of `compare` too."""

    def verdicts(query, **options):
        asked = Query("cats", **options)
        if isinstance(query, int):
            hits = searcher.by_id(asked, query).hits
        else:
            hits = asyncio.run(searcher.by_picture(asked, query)).hits
        for hit in hits:
            subject = query if isinstance(query, int) else io.BytesIO(query)
            compared = comparer.compare(subject, hit.image.id, collection="cats")
            assert hit.verdict is asyncio.run(compared).likeness.verdict
        return {hit.image.id: hit.verdict for hit in hits}

    return verdicts


@pytest.fixture
def copies(catalogue, cats, coffee, rocket):
    """Commit a photograph, copies of it and another one; return their ids by name."""
    made = {
        "itself": described(png(coffee), 1.0),
        "another": described(png(rocket), 0.99),
        "half": described(png(coffee.reduce(2)), 0.98),
        "mirrored": described(png(ImageOps.mirror(coffee)), 0.8),
        "cropped": described(png(cropped_with_banner(coffee)), 0.75),
        "far": described(png(rocket.reduce(2)), 0.2),
    }
    return dict(zip(made, commit(catalogue, cats, made), strict=True))


EXPECTED = {
    "itself": DUPLICATE,
    "another": NEAR,
    "half": DUPLICATE,
    "mirrored": DUPLICATE,
    "cropped": DUPLICATE,
    "far": SIMILAR,
}


def test_hits_of_a_picture_have_the_verdicts_of_comparing_it(agreeing, copies, coffee):
    found = agreeing(png(coffee))
    assert {name: found[image_id] for name, image_id in copies.items()} == EXPECTED


def test_hits_of_a_stored_image_have_the_verdicts_of_comparing_it(agreeing, copies):
    found = agreeing(copies["itself"])
    assert {name: found[image_id] for name, image_id in copies.items()} == EXPECTED


def test_detail_contradicts_equal_hashes(agreeing, catalogue, cats, coffee, rocket):
    hashes, _ = prints_of(DESCRIBER.decode(png(coffee)).pixels)
    other = described(png(rocket), 0.95, hashes=stored(hashes))
    (image_id,) = commit(catalogue, cats, {"other": other})
    assert agreeing(png(coffee)) == {image_id: NEAR}


def test_images_without_miniatures_are_judged_by_hashes_and_score(
    agreeing, catalogue, cats, coffee
):
    half, small = png(coffee.reduce(2)), png(coffee.reduce(3))
    unknown = {"hashes": None, "miniature": None}
    pictures = {
        "hashed": described(half, 0.95, miniature=None),
        "high": described(small, 0.94, **unknown),
        "low": described(png(coffee.reduce(4)), 0.85, **unknown),
    }
    ids = commit(catalogue, cats, pictures)
    assert agreeing(png(coffee)) == dict(zip(ids, (DUPLICATE, NEAR, SIMILAR), strict=True))
    assert agreeing(ids[1]) == dict(zip(ids, (NEAR, DUPLICATE, NEAR), strict=True))


def test_flat_pictures_are_the_same_by_their_bytes_alone(agreeing, catalogue, cats):
    white = [png(Image.new("RGB", (side, 50), "white")) for side in (40, 60)]
    same, other = commit(catalogue, cats, named(described(one, 1.0) for one in white))
    assert agreeing(white[0]) == agreeing(same) == {same: DUPLICATE, other: NEAR}


def test_hits_after_the_best_are_judged_by_their_scores_on_every_page(
    searcher, catalogue, cats, coffee
):
    sizes = range(100, 100 + CONFIRMED_HITS + 3)
    made = [
        described(png(coffee.resize((size, size * 2 // 3))), 0.99 - 0.02 * number)
        for number, size in enumerate(sizes)
    ]
    commit(catalogue, cats, named(made))
    query = png(coffee)

    def hits(**options):
        return asyncio.run(searcher.by_picture(Query("cats", **options), query)).hits

    whole = hits(top_k=20)
    verdicts = [hit.verdict for hit in whole]
    assert verdicts == [DUPLICATE] * CONFIRMED_HITS + [SIMILAR] * 3
    for offset in range(0, len(whole), 3):
        assert hits(top_k=3, offset=offset) == whole[offset : offset + 3]


def test_a_region_is_judged_by_what_it_shows(searcher, catalogue, cats, coffee, rocket):
    both = Image.new("RGB", (coffee.width, 2 * coffee.height))
    both.paste(coffee, (0, 0))
    both.paste(rocket.resize(coffee.size), (0, coffee.height))
    pictures = {"both": described(png(both), 0.95), "half": described(png(coffee.reduce(2)), 0.93)}
    whole, half = commit(catalogue, cats, pictures)

    def verdicts(**options):
        hits = asyncio.run(searcher.by_picture(Query("cats"), png(both), **options)).hits
        return {hit.image.id: hit.verdict for hit in hits}

    assert verdicts(region=(0, 0, *coffee.size)) == {whole: NEAR, half: DUPLICATE}
    assert verdicts() == {whole: DUPLICATE, half: NEAR}


def test_a_descriptor_is_judged_by_scores_alone(searcher, copies):
    hits = searcher.by_descriptor(Query("cats"), np.eye(4, dtype=np.float32)[0]).hits
    names = {image_id: name for name, image_id in copies.items()}
    assert {names[hit.image.id]: hit.verdict for hit in hits} == {
        **dict.fromkeys(("itself", "another", "half"), NEAR),
        **dict.fromkeys(("mirrored", "cropped", "far"), SIMILAR),
    }


def test_no_hashes_are_read_if_no_score_is_high(searcher, catalogue, cats, rocket, monkeypatch):
    commit(catalogue, cats, {"far": described(png(rocket), 0.3)})
    monkeypatch.delattr(Hashes, "both")
    (hit,) = asyncio.run(searcher.by_picture(Query("cats"), png(rocket.reduce(2)))).hits
    assert hit.verdict is SIMILAR


def test_hits_are_judged_outside_of_the_event_loop(catalogue, cats, coffee):
    threads = []

    def judge(result, query):
        threads.append(threading.current_thread())
        return result

    with ExactGallery(catalogue.descriptors.of_index) as gallery:
        searcher = PictureSearcher(catalogue, gallery, DESCRIBER, computed=COMPUTED, judge=judge)
        asyncio.run(searcher.by_picture(Query("cats"), png(coffee)))
    assert threads
    assert threading.main_thread() not in threads
