"""A bulk run from the folder of pictures to the folder with shards."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from bento_service.admin.answer import Answer, Refusal
from bento_service.admin.manifests import MANIFEST, Shard, ShardsManifest
from bento_service.admin.progress import stage
from bento_service.bulk.engine import EngineChoice, find_space, settings_of_worker
from bento_service.bulk.plan import Run, RunFolder, write_whole
from bento_service.bulk.steps import DescribeStep, DigestStep, Runner
from bento_service.settings import AnyImageRoot, Settings, folder_name
from bento_service.settings.root_list import image_root
from bento_service.storage.blob_stores import missing_package
from bento_service.storage.image_roots import ImageRoots, Located

IMAGES_A_SHARD = 2000
_FILES_A_LIST = 5000


@dataclass(frozen=True, kw_only=True)
class BulkOptions:
    """Options of a bulk run, which its `--help` explains."""

    images: Path | str
    out: Path
    model: Path
    root: str | None = None
    ignore: tuple[str, ...] = ()
    threads: int = 1
    images_a_shard: int = IMAGES_A_SHARD


def describe_folder(settings: Settings, options: BulkOptions, runner: Runner) -> Answer:
    """Describe all pictures of a folder, or continue; `FINDINGS` if some files are broken."""
    # Processes on other machines have other working directories.
    options = replace(options, out=options.out.absolute(), model=options.model.absolute())
    images = options.images
    if isinstance(images, Path):
        if not images.is_dir():
            raise Refusal(f"{images} is not a folder")
        images = images.resolve()
    elif missing := missing_package(images):
        raise Refusal(f"IMAGES names {missing}")
    if (options.out / MANIFEST).exists():
        raise Refusal(f"{options.out} is complete; import it, or name another folder")
    space = find_space(options.model, settings)
    run = RunFolder(options.out)
    begun = Run(
        images=str(images),
        root=options.root or folder_name(images),
        space=space,
        files_a_list=_FILES_A_LIST,
        images_a_shard=options.images_a_shard,
    )
    run.begin(begun)
    root = image_root(begun.root, begun.images)
    own = settings_of_worker(settings, threads=options.threads)
    lists = run.count("list")
    if lists is None:
        lists = run.write_lists(_paths(root, options.ignore), size=begun.files_a_list)
    _digest(run, lists, partial(DigestStep, options.out, root, own), runner)
    parts = run.count("parts")
    if parts is None:
        parts = run.write_parts(lists, size=begun.images_a_shard)
    choice = EngineChoice(options.model, begun.space)
    _describe(run, parts, partial(DescribeStep, options.out, root, choice, own), runner)
    return _finished(run, begun, lists, parts)


def _paths(root: AnyImageRoot, ignore: tuple[str, ...]) -> Iterator[str]:
    walk = ImageRoots([root]).walk(Located(root, ""), recursive=True, ignore=ignore)
    with stage("list", None, "files") as advance:
        for file in walk:
            yield file.path
            advance(1)


def _digest(run: RunFolder, lists: int, step: "partial[DigestStep]", runner: Runner) -> None:
    missing = [number for number in range(lists) if not run.file("digests", number).exists()]
    with stage("digests", None, "files") as advance:
        for counts in runner.run(step, missing, describes=False):
            advance(sum(counts.values()))


def _describe(run: RunFolder, parts: int, step: "partial[DescribeStep]", runner: Runner) -> None:
    missing = [number for number in range(parts) if not run.file("shard", number).exists()]
    total = run.images(missing)
    with stage("describe", total, "images") as advance:
        for counts in runner.run(step, missing, describes=True):
            advance(counts["done"])


def _finished(run: RunFolder, begun: Run, lists: int, parts: int) -> Answer:
    shards = tuple(
        Shard(file=file.name, rows=pq.read_metadata(file).num_rows)
        for file in (run.file("shard", number) for number in range(parts))
    )
    reports = [run.file("unread", number) for number in range(lists)]
    reports += [run.file("undescribed", number) for number in range(parts)]
    lines = [line for file in reports if file.exists() for line in file.read_bytes().splitlines()]
    run.remove_partial()
    report = run.folder / "broken.jsonl"
    write_whole(report, b"".join(line + b"\n" for line in lines))
    fingerprint = begun.space.fingerprint
    ShardsManifest(fingerprint=fingerprint, shards=shards, broken=len(lines)).write(run.folder)
    count = sum(shard.rows for shard in shards)
    text = [f"described {count} images in {len(shards)} shards in {run.folder}"]
    if lines:
        text.append(f"{len(lines)} files could not be described; {report} says why")
    text.append(
        f"import them with LOOKALIKE_IMAGE_ROOTS={begun.root}={begun.images}: "
        f"python -m bento_service.admin import {run.folder} --collection NAME --by-size"
    )
    record: dict[str, object] = {"images": count, "shards": len(shards), "broken": len(lines)}
    return Answer(record, text, is_clean=not lines)
