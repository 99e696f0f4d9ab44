"""`verify`: comparison of files, catalogue and index, and their repair."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, update

from bento_service.admin.answer import Answer, Refusal
from bento_service.admin.data import chosen, opened_catalogue, service_stopped
from bento_service.admin.examine import (
    dangling,
    examine_catalogue,
    examine_images,
    examine_indexes,
    examine_uploads,
)
from bento_service.admin.findings import Findings, Kind
from bento_service.admin.index import follow_to_the_end
from bento_service.admin.sources import Sources
from bento_service.assembly.uploads import open_uploads
from bento_service.catalogue import Catalogue
from bento_service.catalogue.tables import images, indexes
from bento_service.gallery.gallery import Gallery
from bento_service.settings import Settings
from bento_service.storage.root_bindings import planned_roots


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Options of `verify`, which its `--help` explains."""

    collection: str | None = None
    deep: bool = False
    catalogue_only: bool = False
    repair: bool = False
    drop_missing: bool = False
    dry_run: bool = False


def verify(settings: Settings, options: Verification) -> Answer:
    """Verify, repair if requested, and report what is left."""
    if options.drop_missing and not options.repair:
        raise Refusal("--drop-missing deletes images; give it together with --repair")
    with ExitStack() as stack:
        if options.repair or not options.catalogue_only:
            instead = "" if options.repair else ", or use --catalogue-only"
            stack.enter_context(service_stopped(settings, instead=instead))
        catalogue = stack.enter_context(opened_catalogue(settings))
        gallery = None if options.catalogue_only else stack.enter_context(_gallery(settings))
        findings = _examine(settings, catalogue, gallery, options)
        record, lines = findings.record(), findings.lines()
        repairs = _repairs(findings, options)
        if options.repair and options.dry_run:
            lines += [f"would be done: {repair}" for repair in repairs]
            record["would_be_done"] = repairs
        if options.dry_run or not options.repair:
            return Answer(record, lines, is_clean=not findings.counts)
        _repair(settings, catalogue, gallery, findings, options)
        left = _examine(settings, catalogue, gallery, options)
    lines += [*(f"done: {repair}" for repair in repairs), "after that:", *left.lines()]
    record = {**left.record(), "before": record["findings"], "done": repairs}
    return Answer(record, lines, is_clean=not left.counts)


def _gallery(settings: Settings) -> Gallery:
    # Imported here, because pymilvus takes much memory.
    from bento_service.gallery.milvus_gallery import MilvusGallery

    return MilvusGallery.from_settings(settings)


def _examine(
    settings: Settings, catalogue: Catalogue, gallery: Gallery | None, options: Verification
) -> Findings:
    findings = Findings()
    collections = chosen(catalogue, options.collection)
    if options.collection is None:
        examine_catalogue(catalogue, findings, deep=options.deep)
        examine_uploads(settings, catalogue, findings)
    roots = planned_roots(catalogue, settings.image_roots)
    sources = Sources(settings, roots, deep=options.deep)
    examine_images(catalogue, collections, sources, findings, deep=options.deep)
    if gallery is not None:
        # Connecting to Milvus Lite would create its folder.
        has_index = "://" in settings.milvus or Path(settings.milvus).exists()
        examine_indexes(catalogue, collections, gallery if has_index else None, findings)
    return findings


def _repairs(findings: Findings, options: Verification) -> list[str]:
    kinds = [kind for kind in Kind if kind.is_repairable and kind in findings.counts]
    repairs = [f"{findings.counts[kind]} {kind.code} repaired" for kind in kinds]
    if options.drop_missing and findings.lost:
        repairs.append(f"{findings.counts[Kind.IMAGE_LOST]} {Kind.IMAGE_LOST.code} deleted")
    return repairs


def _repair(
    settings: Settings,
    catalogue: Catalogue,
    gallery: Gallery | None,
    findings: Findings,
    options: Verification,
) -> None:
    if findings.counts[Kind.CATALOGUE_DAMAGED]:
        raise Refusal(
            "the catalogue itself is damaged, and everything else is repaired from it; restore "
            "a backup (verify without --repair lists the damage)"
        )
    _finish_deletions(catalogue)
    catalogue.hashes.forget(findings.misshapen)
    if options.drop_missing:
        for collection_id, image_ids in findings.lost.items():
            catalogue.images.delete(collection_id, image_ids)
    with open_uploads(settings, catalogue) as uploads:
        if gallery is not None:
            follow_to_the_end(catalogue, gallery, on_purged=uploads.discard)
        uploads.discard_all_unneeded()


def _finish_deletions(catalogue: Catalogue) -> None:
    """Apply the foreign keys' deletion rules to dangling rows.

    Images and indexes stay, because their descriptors may exist nowhere else.
    """
    with catalogue.database.writing() as connection:
        for child, key in set(dangling(connection)):
            (foreign_key,) = child.foreign_keys
            if foreign_key.ondelete == "SET NULL":
                statement = update(child.table).where(child == key)
                connection.execute(statement.values({child.name: None}))
            elif child.table not in (images, indexes):
                connection.execute(delete(child.table).where(child == key))
