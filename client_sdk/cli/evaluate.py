"""`lookalike evaluate`: how good the hits of a running service are, on pictures of yours."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from client_sdk.cli.codes import Code
from client_sdk.cli.collections import DescriptorOption
from client_sdk.cli.commands import Session
from client_sdk.cli.evaluation import HIDDEN, Answer, Evaluation, Labelled, answers, labelled, mean
from client_sdk.cli.following import bar
from client_sdk.cli.screen import Field
from client_sdk.errors import LookalikeError, UsageError
from client_sdk.schemas import Collection

_TTL_SECONDS = 6 * 3600  # of the scratch collection, should this process be killed


def evaluate(
    session: Session,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="Pictures in folders: FOLDER/label/picture.jpg.",
        ),
    ],
    *,
    descriptor: DescriptorOption = None,
    fail_under: Annotated[
        float | None,
        typer.Option(metavar="SHARE", min=0.0, max=1.0, help="End with 1 where mAP is below."),
    ] = None,
) -> int:
    """Measure how well the service ranks labelled pictures.

    They are sent to a scratch collection, which is deleted afterwards; each of them asks for the
    others of its label.
    """
    pictures = labelled(folder)
    with _scratch(session, descriptor) as collection:
        found = _evaluated(session, folder, collection, pictures)
    session.screen.one(found, _fields(found))
    if fail_under is not None and found.mean_average_precision < fail_under:
        session.screen.warn(f"mAP {found.mean_average_precision:.4f} is below {fail_under:g}")
        return Code.NO
    return Code.DONE


def _evaluated(
    session: Session, folder: Path, collection: Collection, pictures: Labelled
) -> Evaluation:
    client, name = session.client, collection.name
    client.upload_folder(folder, collection=name, ignore=HIDDEN, progress=True)
    labels = {one.id: pictures.labels[one.sha256] for one in client.images(collection=name)}
    with bar(session) as progress:
        task = progress.add_task("asking", total=len(labels), aside="")
        found = answers(client, name, labels, on_answer=lambda: progress.advance(task))
    if not found:
        raise UsageError(f"no picture of {len(labels)} has another one of its label")
    index = next(one for one in client.collections() if one.name == name)
    return _summary(index, pictures, labels_of=len(labels), found=found)


def _summary(
    collection: Collection, pictures: Labelled, *, labels_of: int, found: list[Answer]
) -> Evaluation:
    return Evaluation(
        pictures=labels_of,
        copies=pictures.copies,
        failed=len(pictures.labels) - labels_of,
        labels=len(set[str]().union(*pictures.labels.values())),
        queries=len(found),
        skipped=labels_of - len(found),
        mean_average_precision=mean([one.average_precision for one in found]),
        recall_at_1=mean([one.recall_at_1 for one in found]),
        recall_at_5=mean([one.recall_at_5 for one in found]),
        index_recall_at_10=mean([one.index_recall_at_10 for one in found]),
        descriptor=collection.descriptor,
        precision=collection.precision,
        index_type=collection.index_type,
        model=collection.model,
    )


@contextmanager
def _scratch(session: Session, descriptor: str | None) -> Generator[Collection]:
    """A collection that is gone afterwards, whatever happens."""
    name = f"evaluate-{uuid4().hex[:8]}"
    made = session.client.create_collection(name, descriptor, ttl_seconds=_TTL_SECONDS)
    try:
        yield made
    finally:
        try:
            session.client.delete_collection(name)
        except LookalikeError as error:
            session.screen.warn(
                f"the collection {name} could not be deleted ({error}); the service does it after "
                f"{_TTL_SECONDS // 3600} hours"
            )


def _fields(found: Evaluation) -> list[Field]:
    def share(name: str, value: float) -> Field:
        return Field(name, f"{value:.4f}", f"{100 * value:.1f} %")

    return [
        share("mAP", found.mean_average_precision),
        share("recall@1", found.recall_at_1),
        share("recall@5", found.recall_at_5),
        share("index recall@10", found.index_recall_at_10),
        Field("queries", found.queries),
        Field("skipped", found.skipped or None),
        Field("pictures", found.pictures),
        Field("copies", found.copies or None),
        Field("failed", found.failed or None),
        Field("labels", found.labels),
        Field("descriptor", f"{found.descriptor}, {found.precision}, {found.index_type}"),
        Field("model", found.model),
    ]
