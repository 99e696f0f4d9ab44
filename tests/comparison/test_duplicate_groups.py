"""Groups of duplicates, found by real indexes, against comparing all pairs."""

import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.comparison import links
from bento_service.comparison.alignment import align
from bento_service.comparison.duplicate_groups import Duplicates, GroupQuery
from bento_service.comparison.links import LinkLimits
from bento_service.descriptors.version import Thresholds
from bento_service.errors import CollectionNotFound, Conflict, IndexUnavailable
from bento_service.gallery.exact import ExactGallery
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.replay import Replay
from bento_service.pictures.miniature import prints_of
from client_sdk import Orientation, Verdict
from tests.support.indexes import commit, described
from tests.support.waiting import wait_until

DIMENSION = 16
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, DIMENSION, "fp32")
LINE = 0.9
LINES = {SPACE.fingerprint: Thresholds(duplicate=0.95, near_duplicate=LINE)}


@pytest.fixture(params=["lite", "server", "exact"])
def gallery(request, catalogue, tmp_path):
    if request.param == "exact":
        with ExactGallery(catalogue.descriptors.of_index) as opened:
            yield opened
        return
    uri = str(tmp_path / "milvus.db")
    if request.param == "server":
        uri = request.getfixturevalue("milvus_server").uri
    with MilvusGallery(uri) as opened:
        yield opened


@pytest.fixture
def cats(catalogue):
    return catalogue.collections.create("cats", SPACE)


@pytest.fixture
def finding(catalogue, gallery):
    """Return a constructor of `Duplicates` that takes limits."""
    return partial(Duplicates, catalogue, gallery, computed=Computed((SPACE,)), lines=LINES)


@pytest.fixture
def duplicates(finding):
    return finding()


@pytest.fixture
def add(catalogue, cats):
    """Commit images with these descriptors and hashes; return their rising ids."""
    numbers = itertools.count()

    def images(vectors, hashes=None, miniatures=None):
        pictures = {}
        nothing = [b""] * len(vectors)
        for vector, data, small in zip(
            vectors, hashes or nothing, miniatures or nothing, strict=True
        ):
            name = f"{next(numbers)}.png"
            picture = described(name, {SPACE.fingerprint: vector}, data)
            pictures[name] = replace(picture, miniature=small or None)
        return commit(catalogue, cats, pictures)

    return images


@pytest.fixture
def replayed(catalogue, gallery):
    """Wait until the index holds everything."""

    def wait():
        with Replay(catalogue, gallery, on_purged=lambda _: None) as replay:
            wait_until(
                lambda: (
                    replay.was_ready
                    and all(one.applied >= one.revision for one in catalogue.indexes.all())
                )
            )

    return wait


def squares(photographs):
    """Return two photographs, and a mirrored crop of the second, as squares."""
    first, second, *_ = (Image.open(path).convert("RGB") for path in sorted(photographs.iterdir()))
    width, height = second.size
    part = second.crop((width // 20, height // 20, width * 19 // 20, height * 19 // 20))
    mirrored = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return [np.asarray(one.resize((224, 224))) for one in (first, second, mirrored)]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def clusters(sizes, seed=0, spread=0.05):
    """Return vectors around one direction for each size, that many each, in random order."""
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((len(sizes), DIMENSION)))
    vectors = np.repeat(centres, sizes, axis=0)
    vectors = unit(vectors + spread * random.standard_normal(vectors.shape))
    return vectors[random.permutation(len(vectors))]


def all_with_all(ids, vectors, line):
    """Return the groups by definition: the connected components of all pairs."""
    scores = vectors.astype(np.float32).astype(np.float64)
    scores = scores @ scores.T
    left, groups = set(range(len(ids))), []
    while left:
        edge = [left.pop()]
        group = set(edge)
        while edge:
            new = {other for other in left if scores[edge[-1], other] >= line}
            edge.pop()
            left -= new
            group |= new
            edge += new
        if len(group) > 1:
            groups.append(sorted(ids[one] for one in group))
    return sorted(groups)


def walked(duplicates, **options):
    """Return all groups, page by page, and the number of pages."""
    after, groups, pages = 0, [], 0
    while after is not None:
        page = duplicates.page(GroupQuery("cats", after=after, **options))
        groups += page.groups
        pages += 1
        assert after is None or page.after is None or page.after > after
        after = page.after
    return groups, pages


def ids_of(groups):
    return [sorted(member.image.id for member in group.members) for group in groups]


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("line", [0.9, 0.6])
def test_groups_are_those_of_comparing_all_with_all(finding, add, replayed, limit, line):
    duplicates = finding(link_limits=LinkLimits(images_per_call=7))
    vectors = clusters([1] * 20 + [2, 2, 3, 5, 9, 40])
    ids = add(vectors[:60])
    replayed()
    ids += add(vectors[60:])  # which the index lacks

    groups, _ = walked(duplicates, limit=limit, min_score=line)

    expected = all_with_all(ids, vectors, line)
    assert len(expected) > 4
    assert sorted(ids_of(groups)) == expected
    firsts = [group.members[0].image.id for group in groups]
    assert firsts == sorted(firsts) == [min(ids) for ids in ids_of(groups)]
    assert all(group.is_whole for group in groups)


def test_a_page_ends_in_time_and_the_next_continues(duplicates, add, replayed):
    ids = add(clusters([2] * 40))
    replayed()
    after, found, pages = 0, [], 0
    while after is not None:
        page = duplicates.page(GroupQuery("cats", LINE, after=after), seconds=0.0)
        assert page.examined == 1
        found, after, pages = found + list(page.groups), page.after, pages + 1
        if after is None:
            break
        page = duplicates.page(GroupQuery("cats", LINE, after=after, limit=5))
        found, after, pages = found + list(page.groups), page.after, pages + 1
    assert sorted(ids_of(found)) == all_with_all(ids, clusters([2] * 40), 0.9)
    assert pages > 8


def test_a_walk_aligns_each_pair_once_whatever_the_number_of_pages(
    finding, add, replayed, monkeypatch
):
    vectors = clusters([12], spread=0.02)  # all are proposed to each other
    random = np.random.default_rng(6)
    made = random.integers(0, 256, (len(vectors), 64, 64), dtype=np.uint8)
    made[9] = made[3] ^ (random.random((64, 64)) < 0.01)
    ids = add(vectors, miniatures=[small.tobytes() for small in made])
    replayed()
    aligned = []

    def counted(pairs):
        aligned.extend({pair.first.tobytes(), pair.second.tobytes()} for pair in pairs)
        return align(pairs)

    monkeypatch.setattr(links, "align", counted)
    duplicates = finding(link_limits=LinkLimits(images_per_call=5))
    after, pages, groups = 0, 0, []
    while after is not None:
        page = duplicates.page(GroupQuery("cats", after=after), seconds=0.0)
        after, pages, groups = page.after, pages + 1, groups + list(page.groups)

    assert ids_of(groups) == [[ids[3], ids[9]]]
    assert pages >= len(ids)
    assert len(aligned) == len({frozenset(pair) for pair in aligned})


def test_deleted_images_are_in_no_group_before_replay(duplicates, add, replayed, catalogue, cats):
    vectors = clusters([3, 2, 2])
    ids = add(vectors)
    replayed()
    gone = ids_of(walked(duplicates, min_score=LINE)[0])[0][0]
    catalogue.images.delete(cats.id, [gone])  # and the index still holds it
    left = [(one, vector) for one, vector in zip(ids, vectors, strict=True) if one != gone]
    expected = all_with_all([one for one, _ in left], np.stack([v for _, v in left]), 0.9)
    assert sorted(ids_of(walked(duplicates, min_score=LINE)[0])) == expected


def test_matching_hashes_link_images_with_low_scores(duplicates, add, replayed):
    """The hashes say that one picture is the mirror image of another."""
    random = np.random.default_rng(5)
    first = random.integers(0, 2**64, 8, dtype=np.uint64)
    second = first[[4, 5, 6, 7, 0, 1, 2, 3]] ^ np.uint64(0b101)
    third = random.integers(0, 2**64, 8, dtype=np.uint64)
    made = [one.astype(">u8").tobytes() for one in (first, third, second)]
    vectors = unit(np.eye(3, DIMENSION) + 0.2)
    ids = add(vectors, made)
    replayed()
    (group,), _ = walked(duplicates)
    (kept, like), (other, none) = [(m.image.id, m.like) for m in reversed(group.members)]
    assert (kept, other, none) == (ids[2], ids[0], None)
    by, likeness = like
    assert by == ids[0]
    assert (likeness.verdict, group.verdict) == (Verdict.DUPLICATE, Verdict.DUPLICATE)
    assert (likeness.closeness.distance, likeness.closeness.orientation) == (
        2,
        Orientation.MIRRORED,
    )
    assert likeness.score < 0.9
    assert likeness.reasons[0] == "pHash 2/64, mirrored"


def test_a_high_score_joins_only_pictures_that_show_the_same(
    duplicates, add, replayed, photographs
):
    """Two photographs and a mirrored crop of the second; all scores are high."""
    small = [prints_of(pixels)[1] for pixels in squares(photographs)]
    ids = add(clusters([3], spread=0.01), miniatures=[one.tobytes() for one in small])
    replayed()
    (group,), _ = walked(duplicates)
    assert [member.image.id for member in group.members] == ids[1:]
    by, likeness = group.members[1].like
    assert (by, likeness.verdict, likeness.orientation) == (
        ids[1],
        Verdict.DUPLICATE,
        Orientation.MIRRORED,
    )
    assert "of the detail is the same, mirrored" in likeness.reasons[0]
    (crowd,), _ = walked(duplicates, min_score=LINE)
    assert {member.image.id for member in crowd.members} == set(ids)
    (_, stranger) = crowd.members[1].like
    assert (stranger.verdict, stranger.orientation) == (Verdict.NEAR_DUPLICATE, None)


def test_a_large_group_is_cut_and_says_so(finding, add, replayed):
    duplicates = finding(max_group=10, link_limits=LinkLimits(neighbours=20))
    vectors = clusters([120, 2], spread=0.01)
    ids = add(vectors)
    replayed()
    groups, _ = walked(duplicates, min_score=LINE)
    crowd, pair = sorted(groups, key=lambda group: -len(group.members))
    assert (len(crowd.members), crowd.is_whole) == (10, False)
    assert crowd.members[0].image.id == min(all_with_all(ids, vectors, 0.9)[0])
    assert (len(pair.members), pair.is_whole) == (2, True)


def test_each_member_names_the_earlier_one_that_it_is_most_like(duplicates, add, replayed):
    angles = np.radians([0.0, 20.0, 35.0])  # 0.94 and 0.966, and 0.819 between the outer ones
    vectors = np.zeros((3, DIMENSION))
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    ids = add(vectors)
    replayed()
    (group,), _ = walked(duplicates, min_score=LINE)
    assert [member.image.id for member in group.members] == ids
    likes = [member.like for member in group.members[1:]]
    assert [by for by, _ in likes] == ids[:2]
    assert [one.verdict for _, one in likes] == [Verdict.NEAR_DUPLICATE] * 2
    assert [one.score for _, one in likes] == [
        pytest.approx(np.cos(np.radians(20))),
        pytest.approx(np.cos(np.radians(15))),
    ]
    assert group.verdict is Verdict.NEAR_DUPLICATE


def test_pending_images_are_compared_without_an_index(duplicates, add):
    vectors = clusters([2, 2, 1])
    ids = add(vectors)  # without replay
    assert sorted(ids_of(walked(duplicates, min_score=LINE)[0])) == all_with_all(ids, vectors, 0.9)


def test_unknown_and_incomparable_collections_are_errors(duplicates, catalogue):
    with pytest.raises(CollectionNotFound):
        duplicates.page(GroupQuery("dogs"))
    other = DescriptorSpace("vgg16-mac", "vgg16:two", "e" * 64, DIMENSION, "fp32")
    catalogue.collections.create("dogs", other)
    with pytest.raises(Conflict):
        duplicates.page(GroupQuery("dogs"))


def test_without_milvus_duplicates_are_refused(catalogue, add, replayed, tmp_path, free_port):
    with MilvusGallery(str(tmp_path / "own.db")) as own:
        add(clusters([2]))
        with Replay(catalogue, own, on_purged=lambda _: None):
            wait_until(lambda: catalogue.indexes.all()[0].applied >= 1)
    with MilvusGallery(f"http://127.0.0.1:{free_port}") as nowhere:
        walking = Duplicates(catalogue, nowhere, computed=Computed((SPACE,)), lines=LINES)
        with pytest.raises(IndexUnavailable):
            walking.page(GroupQuery("cats"))
