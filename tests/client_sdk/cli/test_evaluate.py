import hashlib
import itertools
import shutil

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from client_sdk import Client
from client_sdk.cli.evaluation import labelled
from client_sdk.cli.ranking import average_precision, found_of_best, ranks_of_relevant
from client_sdk.errors import UsageError

RANKED = st.lists(
    st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), st.booleans()), min_size=1, max_size=6
)


def ap(ranked):
    ranking = [(number, score) for number, (score, _) in enumerate(ranked)]
    relevant = {number for number, (_, right) in enumerate(ranked) if right}
    return average_precision(ranks_of_relevant(ranking, relevant))


def textbook_ap(order):
    """The sum of precision at k over all k that hold a relevant one, by its number of them."""
    precisions = [sum(order[: k + 1]) / (k + 1) for k in range(len(order)) if order[k]]
    return sum(precisions) / len(precisions)


def test_average_precision_by_hand():
    # right, wrong, right, wrong: (1/1 + 2/3) / 2
    assert ap([(0.9, True), (0.8, False), (0.7, True), (0.6, False)]) == pytest.approx(5 / 6)


def test_among_equal_scores_the_right_ones_come_last():
    assert ranks_of_relevant([(1, 0.5), (2, 0.5), (3, 0.9)], {1}) == [3]


@given(RANKED.filter(lambda ranked: any(right for _, right in ranked)))
def test_no_way_to_break_ties_is_worse_than_ours(ranked):
    ways = [
        textbook_ap([right for _, right in way])
        for way in itertools.permutations(ranked)
        if [score for score, _ in way] == sorted((score for score, _ in ranked), reverse=True)
    ]
    assert ap(ranked) == pytest.approx(min(ways))


def test_what_the_index_missed_is_counted():
    exact = [(1, 0.9), (2, 0.8), (3, 0.7), (4, 0.7), (5, 0.1)]
    assert found_of_best(exact, [1, 2, 4], k=3) == 1.0  # as good as 3
    assert found_of_best(exact, [1, 5, 4], k=3) == pytest.approx(2 / 3)
    assert found_of_best(exact, [], k=3) == 0.0
    assert found_of_best(exact[:2], [2, 1], k=10) == 1.0


@pytest.fixture
def folder(tmp_path):
    for name, content in {
        "hats/a.jpg": "a",
        "hats/b.jpg": "b",
        "hats/copy of a.jpg": "a",
        "shoes/c.png": "c",
        "shoes/red/d.png": "d",
        "shoes/notes.txt": "x",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_the_folder_of_a_picture_is_its_label(folder):
    found = labelled(folder)
    assert found.copies == 1
    labels = {text: found.labels[hashlib.sha256(text.encode()).hexdigest()] for text in "abcd"}
    assert labels == {"a": {"hats"}, "b": {"hats"}, "c": {"shoes"}, "d": {"shoes/red"}}
    assert len(found.labels) == 4


def test_one_label_is_refused(folder):
    shutil.rmtree(folder / "shoes")
    with pytest.raises(UsageError, match="not two labels"):
        labelled(folder)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.Response(507, text="full"), 4),
        (httpx.ConnectError("gone"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_scratch_collection_goes_whatever_happens(lookalike, folder, answer, code):
    made = []

    def respond(request):
        made.append((request.method, request.url.path))
        if request.url.path.endswith("/info"):  # with which the sending begins
            if isinstance(answer, BaseException):
                raise answer
            return answer
        if request.method == "DELETE":
            return httpx.Response(204)
        fields = {"count": 0, "dimension": 4, "descriptor": "d", "precision": "int8", "lag": 0}
        names = {"name": "evaluate-1", "model": "m", "fingerprint": "f"}
        return httpx.Response(200, json={**names, **fields, "created_at": "2026-01-01T00:00:00Z"})

    ran = lookalike("evaluate", str(folder), answers=respond)
    assert ran.code == code
    assert [method for method, _ in made] == ["POST", "GET", "DELETE"]
    assert made[-1][1].startswith("/api/v2/collections/evaluate-")


def test_a_real_service_is_evaluated_as_by_hand(lookalike, server, photographs, tmp_path):
    for name in ("coffee", "coins", "rocket"):
        (tmp_path / name).mkdir()
        with Image.open(photographs / f"{name}.jpg") as picture:
            picture.save(tmp_path / name / "1.jpg")
            ImageOps.mirror(picture).save(tmp_path / name / "2.jpg")
    before = _names(server)
    ran = lookalike("evaluate", str(tmp_path), "--url", server.url, "--json")
    assert ran.code == 0, ran.err
    found = ran.document
    assert (found["pictures"], found["labels"], found["queries"]) == (6, 3, 6)
    # A mirrored picture is nearest to its original, so every ranking is perfect.
    assert found["mean_average_precision"] == 1.0
    assert found["recall_at_1"] == found["recall_at_5"] == found["index_recall_at_10"] == 1.0
    assert _names(server) == before


def _names(server):
    with Client(server.url) as client:
        return {collection.name for collection in client.collections()}
