"""How well a service ranks labelled pictures: every picture asks for the others of its label."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from client_sdk._folder import FolderOptions, digested, files_of
from client_sdk._folder_report import FailedFile, Tally
from client_sdk.cli import ranking
from client_sdk.client import Client
from client_sdk.errors import UsageError
from client_sdk.schemas import MAX_TOP_K

MOST_IMAGES = 16_000
"""Of how many images a ranking can be read to its end: `offset` ends at 15,000."""

HIDDEN = ".*"
"""Files and folders that are no part of what is evaluated."""

_TOP = 10
_AT_ONCE = 4


class Evaluation(BaseModel):
    """How well a service ranks the pictures of a labelled folder; shares between 0 and 1.

    Attributes:
        pictures: Different pictures that were ranked.
        copies: Files that were left out because another one has the same bytes.
        failed: Files that could not be indexed.
        labels: Different labels.
        queries: Pictures whose answers were looked at.
        skipped: Pictures without another one of their label.
        mean_average_precision: Of the exact rankings.
        recall_at_1: Share of the queries whose first hit is right, in the exact rankings.
        recall_at_5: Share of the queries with a right one among the first five.
        index_recall_at_10: Share of the exact first ten that the collection's index answers with.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    pictures: int
    copies: int
    failed: int
    labels: int
    queries: int
    skipped: int
    mean_average_precision: float
    recall_at_1: float
    recall_at_5: float
    index_recall_at_10: float
    descriptor: str
    precision: str
    index_type: str
    model: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """The pictures of a folder, the same bytes once.

    Attributes:
        labels: By the SHA-256 of the bytes; one picture may lie in several folders.
        copies: How many files were left out for that.
    """

    labels: Mapping[str, frozenset[str]]
    copies: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How well one query was answered; shares between 0 and 1."""

    average_precision: float
    recall_at_1: float
    recall_at_5: float
    index_recall_at_10: float


def labelled(folder: Path) -> Labelled:
    """The pictures below a folder; the label of each is the path of the folder that holds it.

    Raises:
        UsageError: If something cannot be read, if there are no two labels, or more pictures than
            can be ranked.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    tally = Tally()
    number = 0
    for file in files_of(folder, FolderOptions(ignore=HIDDEN), tally):
        read = digested(file)
        if isinstance(read, FailedFile):
            tally.failed([read])
            continue
        number += 1
        labels[read.sha256].add(file.name.rpartition("/")[0])
    if failed := tally.report.failed:
        raise UsageError(f"{failed[0].path} cannot be read: {failed[0].detail}")
    if len(set[str]().union(*labels.values())) < 2:
        raise UsageError(
            f"{folder} holds {number} pictures and not two labels; lay them out as "
            "FOLDER/label/picture.jpg, with at least two labels"
        )
    if len(labels) > MOST_IMAGES:
        raise UsageError(f"{len(labels)} pictures; a ranking can be read up to {MOST_IMAGES}")
    frozen = {digest: frozenset(some) for digest, some in labels.items()}
    return Labelled(frozen, number - len(labels))


def answers(
    client: Client,
    collection: str,
    labels: Mapping[int, frozenset[str]],
    *,
    on_answer: Callable[[], object],
) -> list[Answer]:
    """Ask for every picture that has another one of its label.

    Args:
        client: Whose service is asked.
        collection: What is searched; holds these images alone.
        labels: Of every image, by its id.
        on_answer: Called after each query.
    """
    members: dict[str, set[int]] = defaultdict(set)
    for image_id, some in labels.items():
        for label in some:
            members[label].add(image_id)
    relevant = {
        image_id: set[int]().union(*(members[label] for label in some)) - {image_id}
        for image_id, some in labels.items()
    }
    queries = [image_id for image_id in labels if relevant[image_id]]
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        running = [
            pool.submit(_answer, client, collection, one, relevant[one], len(labels))
            for one in queries
        ]
        found: list[Answer] = []
        for ready in as_completed(running):
            found.append(ready.result())
            on_answer()
        return found
    finally:
        pool.shutdown(cancel_futures=True)


def mean(values: Sequence[float]) -> float:
    """The mean of at least one value."""
    return sum(values) / len(values)


def _answer(client: Client, collection: str, query: int, relevant: set[int], images: int) -> Answer:
    exact = [
        (image_id, score)
        for image_id, score in _whole(client, collection, query, images)
        if image_id != query
    ]
    near = client.search_by_id(query, collection=collection, top_k=_TOP + 1).hits
    found = [hit.image_id for hit in near if hit.image_id != query][:_TOP]
    ranks = ranking.ranks_of_relevant(exact, relevant)
    return Answer(
        average_precision=ranking.average_precision(ranks),
        recall_at_1=ranking.recall_at(ranks, 1),
        recall_at_5=ranking.recall_at(ranks, 5),
        index_recall_at_10=ranking.found_of_best(exact, found, k=_TOP),
    )


def _whole(client: Client, collection: str, query: int, images: int) -> list[tuple[int, float]]:
    """The whole exact ranking, page by page."""
    hits: list[tuple[int, float]] = []
    for offset in range(0, images, MAX_TOP_K):
        page = client.search_by_id(
            query,
            collection=collection,
            top_k=min(MAX_TOP_K, images - offset),
            offset=offset,
            exact=True,
        )
        hits += [(hit.image_id, hit.score) for hit in page.hits]
    return hits
