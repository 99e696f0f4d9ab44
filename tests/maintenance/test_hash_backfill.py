"""The backfill of perceptual hashes, from real originals."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from bento_service.catalogue.jobs.records import Described, NewFile, NewJob, Outcome
from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.descriptors.describer import Describer
from bento_service.errors import CatalogueUnavailable, Overloaded
from bento_service.maintenance.hash_backfill import HashBackfill
from bento_service.pictures.perceptual_hash import closeness, restored
from bento_service.settings import ImageRoot
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.originals import Originals
from tests.support.job_files import todo
from tests.support.local_decoder import LocalDecoder

SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 2, "fp32")
STEPS = 20


@pytest.fixture
def folder(tmp_path, photographs):
    """Return each photograph, its mirror image, and a flat picture."""
    made = tmp_path / "pictures"
    made.mkdir()
    for path in photographs.iterdir():
        picture = Image.open(path)
        picture.save(made / f"{path.stem}-1.png")
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(made / f"{path.stem}-2.png")
    Image.new("RGB", (20, 10), "red").save(made / "flat.png")
    return made


@pytest.fixture
def ids(catalogue, folder):
    """Ids of the pictures by file name, as indexed by a release without hashes."""
    cats = catalogue.collections.create("cats", SPACE)
    names = sorted(path.name for path in folder.iterdir())
    job = catalogue.jobs.create(
        cats.id,
        "cats",
        NewJob(SourceKind.FILE, root="pictures", files=tuple(NewFile(n, n) for n in names)),
    )
    vector = np.array([0.6, 0.8], np.float32)
    outcomes = []
    for file in todo(catalogue, job):
        data = (folder / file.path).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        described = Described(digest, "PNG", 20, 10, len(data), {SPACE.fingerprint: vector})
        outcomes.append(Outcome(file, described=described))
    catalogue.jobs.settle(job, outcomes)
    page = catalogue.images.page(cats.id, limit=100)
    return {image.sources[0].path: image.id for image in page}


@pytest.fixture
def backfill(catalogue, folder, tmp_path):
    originals = Originals(
        ImageRoots([ImageRoot("pictures", folder)]), FolderBlobStore(tmp_path / "uploads")
    )

    def make(decoder=None, **options):
        decoder = decoder or LocalDecoder(max_pixels=10**7)
        describer = Describer(decoder, None, side=224)
        return HashBackfill(catalogue, originals, describer, **options)

    return make


def test_every_image_gets_its_hashes_in_small_steps(backfill, catalogue, ids):
    step = backfill().step
    step()
    some = [one for one in catalogue.hashes.of(ids.values()).values() if one is not None]
    assert 0 < len(some) < len(ids)
    backfill().step()  # after a restart it continues
    assert catalogue.hashes.missing(after=0, limit=100) == []
    hashes = catalogue.hashes.of(ids.values())
    assert hashes[ids["flat.png"]] == b""
    found = closeness(*(restored(hashes[ids[f"coffee-{n}.png"]]) for n in (1, 2)))
    assert (found.distance, found.orientation) == (0, "mirrored")
    assert all(one.applied < one.revision for one in catalogue.indexes.all())  # as it was before


def test_images_without_readable_originals_get_no_hashes(backfill, catalogue, ids, folder):
    (folder / "coffee-1.png").unlink()
    (folder / "rocket-1.png").write_bytes(b"something else")
    work = backfill()
    for _ in range(STEPS):
        work.step()
    assert catalogue.hashes.missing(after=0, limit=100) == sorted(
        [ids["coffee-1.png"], ids["rocket-1.png"]]
    )


def test_other_work_comes_before_the_backfill(backfill, catalogue, ids):
    backfill(is_busy=lambda: True).step()

    class Busy:
        def decode(self, *_, **__):
            raise Overloaded("others are decoded")

    work = backfill(Busy())
    work.step()
    assert len(catalogue.hashes.missing(after=0, limit=100)) == len(ids)
    work._describer = Describer(LocalDecoder(max_pixels=10**7), None, side=224)
    for _ in range(STEPS):
        work.step()
    assert catalogue.hashes.missing(after=0, limit=100) == []


def test_a_deleted_image_is_skipped(backfill, catalogue, ids):
    cats = catalogue.collections.named("cats")
    catalogue.images.delete(cats.id, ids.values())
    backfill().step()
    assert catalogue.hashes.missing(after=0, limit=100) == []


def test_a_catalogue_that_is_away_loses_no_image(backfill, catalogue, ids, monkeypatch):
    def away(image_id):
        raise CatalogueUnavailable("it does not answer")

    work = backfill()
    with monkeypatch.context() as patched:
        patched.setattr(catalogue.images, "get", away)
        with pytest.raises(CatalogueUnavailable):
            work.step()
    for _ in range(STEPS):
        work.step()
    assert catalogue.hashes.missing(after=0, limit=100) == []
