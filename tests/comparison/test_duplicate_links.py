"""Links between the images of a group: by hashes, by aligned miniatures, by scores."""

import numpy as np
import pytest
from PIL import Image

from bento_service.comparison import links
from bento_service.comparison.alignment import align
from bento_service.comparison.duplicate_groups import GroupQuery
from bento_service.comparison.links import LinkLimits
from bento_service.pictures.miniature import prints_of
from client_sdk import Orientation, Verdict
from tests.comparison.grouping import DIMENSION, LINE, clusters, ids_of, unit, walked


def squares(photographs):
    """Return two photographs, and a mirrored crop of the second, as squares."""
    first, second, *_ = (Image.open(path).convert("RGB") for path in sorted(photographs.iterdir()))
    width, height = second.size
    part = second.crop((width // 20, height // 20, width * 19 // 20, height * 19 // 20))
    mirrored = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return [np.asarray(one.resize((224, 224))) for one in (first, second, mirrored)]


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
