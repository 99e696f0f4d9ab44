"""`roots`: the image roots that the catalogue remembers; forgets one."""

from contextlib import ExitStack

from bento_service.admin.answer import CLEAN, FINDINGS, Answer, Refusal
from bento_service.admin.data import opened_catalogue, service_stopped
from bento_service.catalogue.records import RootRecord
from bento_service.settings import Settings
from bento_service.storage.root_bindings import planned_roots


def list_roots(settings: Settings) -> Answer:
    """List the roots; `FINDINGS` where the files of one cannot be read."""
    with opened_catalogue(settings) as catalogue:
        records = catalogue.roots.all()
        roots = planned_roots(catalogue, settings.image_roots)
    found = [(record, roots.unavailable(record.name)) for record in records]
    lines = [f"{record.name}: {_shown(record) or 'not known'}" for record, _ in found]
    lines += [reason for _, reason in found if reason]
    rows = [
        {"name": record.name, "path": _shown(record), "available": reason is None}
        for record, reason in found
    ]
    is_clean = all(reason is None for _, reason in found)
    return Answer(
        {"roots": rows}, tuple(lines) or ("no image roots",), CLEAN if is_clean else FINDINGS
    )


def forget_root(settings: Settings, name: str, *, dry_run: bool = False) -> Answer:
    """Forget where a root is, so that its files are not read any more; its images stay.

    Raises:
        Refusal: A service runs, or there is no such root.
    """
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(service_stopped(settings))
        catalogue = stack.enter_context(opened_catalogue(settings))
        records = catalogue.roots.all()
        if name not in {record.name for record in records}:
            known = ", ".join(record.name for record in records) or "none"
            raise Refusal(f"there is no image root {name!r}; known are: {known}")
        if not dry_run:
            bound = [RootRecord(name, None) if one.name == name else one for one in records]
            catalogue.roots.bind(bound)
    what = "would forget" if dry_run else "forgot"
    line = f"{what} where image root {name!r} is; its images stay, and can be deleted"
    return Answer({"forgotten": name}, (line,))


def _shown(record: RootRecord) -> str | None:
    if record.path is None:
        return None
    return record.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
