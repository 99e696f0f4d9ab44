"""`roots`: the image roots in the catalogue."""

from contextlib import ExitStack

from bento_service.admin.answer import Answer, Refusal
from bento_service.admin.data import opened_catalogue, service_stopped
from bento_service.catalogue.records import RootRecord
from bento_service.settings import Settings
from bento_service.storage.root_bindings import planned_roots


def list_roots(settings: Settings) -> Answer:
    """List the roots; the exit code is `FINDINGS` if the files of one cannot be read."""
    with opened_catalogue(settings) as catalogue:
        records = catalogue.roots.all()
        roots = planned_roots(catalogue, settings.image_roots)
    reasons = [roots.unavailable(record.name) for record in records]
    lines = [f"{record.name}: {_shown(record) or 'not known'}" for record in records]
    lines += filter(None, reasons)
    rows = [
        {"name": record.name, "path": _shown(record), "available": reason is None}
        for record, reason in zip(records, reasons, strict=True)
    ]
    return Answer({"roots": rows}, lines or ["no image roots"], is_clean=not any(reasons))


def forget_root(settings: Settings, name: str, *, dry_run: bool = False) -> Answer:
    """Forget the folder of a root, so that its files are no longer read; its images stay."""
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(service_stopped(settings))
        catalogue = stack.enter_context(opened_catalogue(settings))
        records = catalogue.roots.all()
        if name not in {record.name for record in records}:
            known = ", ".join(record.name for record in records) or "none"
            raise Refusal(f"there is no image root {name!r}; known are: {known}")
        if not dry_run:
            catalogue.roots.bind(
                [RootRecord(name, None) if root.name == name else root for root in records]
            )
    verb = "would forget" if dry_run else "forgot"
    line = f"{verb} the folder of image root {name!r}; its images stay, and can be deleted"
    return Answer({"forgotten": name}, (line,))


def _shown(record: RootRecord) -> str | None:
    if record.path is None:
        return None
    return record.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
