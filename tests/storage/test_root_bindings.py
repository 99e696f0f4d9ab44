"""Bindings of image roots to folders over restarts, and their pictures."""

import logging
import shutil

import pytest

from bento_service.catalogue import Catalogue
from bento_service.settings.root_list import ConfiguredRoot
from bento_service.storage.originals import Originals
from bento_service.storage.root_bindings import bound_roots, planned_roots
from tests.support.ingesting import Ingest, colours
from tests.support.pictures import png

NAMES = [f"IMG_{number:04}.png" for number in range(1, 13)]


@pytest.fixture
def room(tmp_path):
    made = Ingest(tmp_path)
    with made.catalogue:
        yield made


@pytest.fixture
def start(room, caplog):
    """Bind roots like a start of the service, and return the names of all roots."""

    def starting(*folders, **named):
        caplog.clear()
        configured = [ConfiguredRoot(folder) for folder in folders]
        configured += [ConfiguredRoot(folder, name) for name, folder in named.items()]
        room.roots = bound_roots(room.catalogue, configured)
        return room.roots.names

    return starting


@pytest.fixture
def card(tmp_path):
    """Make a folder `photos` of twelve pictures, which differ for each number."""

    def make(number, pictures=NAMES):
        folder = tmp_path / f"card{number}" / "photos"
        folder.mkdir(parents=True)
        for at, name in enumerate(pictures):
            (folder / name).write_bytes(png(colours(400)[number * 20 + at]))
        return folder

    return make


@pytest.fixture
def train(room):
    def training(folder, **options):
        job = room.train(str(folder), **options)
        room.work()
        return room.job(job)

    return training


def shown(room):
    """Return root and path of the images whose bytes are available."""
    originals = Originals(room.roots, room.uploads)
    return sorted(
        f"{source.root}/{source.path}"
        for image in room.images()
        if originals.read(image)
        for source in image.sources
    )


def test_a_second_folder_of_the_same_name_is_another_root_and_nothing_is_removed(
    room, start, card, train
):
    one, two = card(1), card(2)
    assert start(one) == ("photos",)
    assert train(one).indexed == 12
    assert start(two) == ("photos-2", "photos")
    job = train(two, prune=True)
    assert (job.indexed, job.removed, len(room.images())) == (12, 0, 24)
    assert start() == ("photos", "photos-2")
    assert set(shown(room)) == {
        f"{root}/{name}" for root in ("photos", "photos-2") for name in NAMES
    }


def test_names_do_not_depend_on_the_order_of_folders(start, card, train):
    one, two = card(1), card(2)
    start(one)
    train(one)
    start(two)
    train(two)
    assert start(two, one) == ("photos-2", "photos")
    assert start(one, two) == ("photos", "photos-2")
    assert start(two, two) == ("photos-2", "photos")


def test_remembered_roots_can_be_trained(room, start, card, train):
    folder = card(1)
    start(folder)
    train(folder)
    start()
    (folder / "new.png").write_bytes(png("white"))
    assert train(folder).indexed == 1
    assert train(".").duplicates == 13  # the only root needs no name


def test_a_root_that_was_never_used_is_not_remembered(start, card):
    start(card(1))
    assert start() == ()


def test_the_root_of_a_pending_job_is_remembered(room, start, card):
    folder = card(1)
    start(folder)
    job = room.train(str(folder))
    start()
    room.work()
    assert room.job(job).indexed == 12


def test_a_moved_folder_keeps_its_root_if_the_operator_names_it(
    room, start, card, train, caplog, tmp_path
):
    folder = card(1)
    start(folder)
    train(folder)
    there = tmp_path / "disk" / "photos"
    there.parent.mkdir()
    folder.rename(there)
    start()
    assert "'photos' cannot be opened" in caplog.text
    assert "LOOKALIKE_IMAGE_ROOTS=photos=/its/folder" in caplog.text
    assert str(tmp_path) not in caplog.text
    assert start(photos=there) == ("photos",)
    assert len(shown(room)) == 12
    assert train(there, prune=True).removed == 0
    assert len(room.images()) == 12
    assert start(there) == ("photos",)  # it need not be said again


def test_naming_a_folder_with_other_files_logs_a_warning(start, card, train, caplog):
    one, two = card(1), card(2)
    start(one)
    train(one)
    start(photos=two)
    assert "has a folder without its files" in caplog.text
    start(photos=one)
    assert caplog.text == ""


def test_a_moved_folder_without_its_name_is_a_new_root_and_the_log_says_how_to_keep_it(
    room, start, card, train, caplog, tmp_path
):
    folder = card(1)
    start(folder)
    train(folder)
    there = tmp_path / "disk" / "photos"
    there.parent.mkdir()
    folder.rename(there)
    assert start(there) == ("photos-2", "photos")
    assert "LOOKALIKE_IMAGE_ROOTS=photos=/its/folder" in caplog.text
    train(there, prune=True)
    assert len(room.images()) == 12
    assert start(photos=there) == ("photos",)  # what `photos-2` holds, it holds too
    assert "'photos-2'" in caplog.text
    assert len(room.images()) == 12


def test_an_older_catalogue_binds_a_name_to_the_folder_that_has_its_files(
    room, start, card, train, tmp_path
):
    one, two = card(1), card(2)
    start(one)
    train(one)
    for folder in (one, two):
        with room.catalogue.database.writing() as connection:
            connection.exec_driver_sql("UPDATE roots SET path = NULL, spelled = NULL")
        with Catalogue.open(f"sqlite:///{room.database}") as catalogue:
            names = planned_roots(catalogue, [ConfiguredRoot(folder)]).names
        assert names == (("photos",) if folder == one else ("photos-2",))


def test_a_copy_with_other_times_is_the_same_folder(room, start, card, train, tmp_path):
    one = card(1)
    start(one)
    train(one)
    with room.catalogue.database.writing() as connection:
        connection.exec_driver_sql("UPDATE roots SET path = NULL, spelled = NULL")
    copied = tmp_path / "copied" / "photos"
    shutil.copytree(one, copied, copy_function=shutil.copyfile)
    for name in NAMES[:6]:
        (copied / name).unlink()
    assert start(copied) == ("photos",)
    (copied / NAMES[6]).unlink()
    with room.catalogue.database.writing() as connection:
        connection.exec_driver_sql("UPDATE roots SET path = NULL, spelled = NULL")
    assert start(copied) == ("photos-2",)


def test_names_of_roots_without_a_folder_are_not_reused(room, start, card, train):
    one, two = card(1), card(2)
    start(one)
    train(one)
    shutil.rmtree(one)
    assert start(two) == ("photos-2", "photos")


def test_a_link_at_the_path_of_a_remembered_root_is_not_followed(room, start, card, train):
    folder = card(1)
    start(folder)
    train(folder)
    folder.rename(folder.with_name("away"))
    folder.symlink_to("away")
    start()
    assert room.roots.unavailable("photos") is not None


def test_a_folder_with_a_new_name_is_another_root(room, start, card, train, caplog):
    """Another card may be mounted at the same place."""
    folder = card(1)
    start(folder)
    train(folder)
    caplog.set_level(logging.WARNING)
    assert start(card_2=folder) == ("card_2",)
    assert "'photos'" in caplog.text
    assert train(folder).duplicates == 12
    assert {source.root for image in room.images() for source in image.sources} == {
        "photos",
        "card_2",
    }
