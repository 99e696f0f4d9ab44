"""`verify`: missing, changed and unneeded files, its options, and a running service."""

import pytest


def test_a_whole_folder_is_clean(place, kinds):
    code, record = place.admin("verify", "--deep")

    assert code == 0
    assert kinds(record) == {}
    assert record["checked"] == {
        "uploads": 9,  # three of the six of one collection are in the other one too
        "images": 20,
        "sources": 20,
        "indexes": 3,  # the default one is empty
        "index rows": 20,
    }


def test_a_missing_upload_is_reported_once_for_each_image(place, kinds):
    digest = next(iter(place.uploads()))
    holders = place.sql("SELECT count(*) FROM images WHERE sha256 = ?", digest)[0][0]
    place.uploads()[digest].unlink()

    code, record = place.admin("verify", "--catalogue-only")

    assert code == 1
    assert kinds(record) == {"image_lost": holders}


def test_a_changed_file_of_the_same_size_is_found_only_by_deep(place, kinds):
    file = place.pictures / "3.png"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)

    assert place.admin("verify", "--catalogue-only")[0] == 0
    code, record = place.admin("verify", "--catalogue-only", "--deep")
    assert code == 1
    assert kinds(record) == {"image_lost": 1}
    assert "3.png is changed" in record["findings"][0]["examples"][0]


def test_a_file_that_grew_is_found_without_reading_it(place, kinds):
    with (place.pictures / "3.png").open("ab") as file:
        file.write(b"more")

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"image_lost": 1}


def test_an_image_with_another_whole_source_is_not_lost(place, kinds):
    place.sql(
        "INSERT INTO sources (image_id, kind, root, path, sha256) "
        "SELECT image_id, kind, root, CAST('gone.png' AS BLOB), sha256 FROM sources "
        "WHERE path = CAST('3.png' AS BLOB)"
    )

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"source_lost": 1}


def test_a_root_that_is_not_mounted_makes_no_image_lost(place, kinds):
    for file in place.pictures.iterdir():
        file.unlink()

    code, record = place.admin("verify", "--catalogue-only", "--repair", "--drop-missing")

    assert code == 1
    assert kinds(record) == {"image_out_of_reach": 8}
    assert len(place.ids()) == 14


def test_without_configured_roots_the_remembered_ones_are_checked(place):
    del place.settings["LOOKALIKE_IMAGE_ROOTS"]

    assert place.admin("verify", "--catalogue-only")[0] == 0


def test_a_forgotten_root_makes_no_image_lost(place, kinds):
    del place.settings["LOOKALIKE_IMAGE_ROOTS"]
    place.admin("roots", "--forget", "pictures")

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"image_out_of_reach": 8}


def test_unneeded_uploads_are_found_and_removed(place, kinds):
    extra = place.data / "uploads" / "ab" / ("ab" + "0" * 62)
    extra.parent.mkdir(exist_ok=True)
    extra.write_bytes(b"nobody's")

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"upload_unneeded": 1}
    _, dry = place.admin("verify", "--catalogue-only", "--repair", "--dry-run")
    assert dry["would_be_done"] == ["1 upload_unneeded repaired"]
    assert extra.exists()

    code, record = place.admin("verify", "--catalogue-only", "--repair")

    assert (code, kinds(record)) == (0, {})
    assert not extra.exists()
    assert len(place.uploads()) == 9


def test_foreign_files_in_the_uploads_folder_are_reported_and_kept(place, kinds):
    stray = place.data / "uploads" / "ab" / "notes.txt"
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("mine")

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"upload_stray": 1}
    place.admin("verify", "--catalogue-only", "--repair")
    assert stray.read_text() == "mine"


def test_lost_images_are_deleted_only_with_drop_missing(place, kinds):
    (place.pictures / "3.png").unlink()

    code, record = place.admin("verify", "--repair")
    assert (code, kinds(record)) == (1, {"image_lost": 1})
    assert len(place.ids()) == 14

    code, record = place.admin("verify", "--repair", "--drop-missing")
    assert (code, kinds(record)) == (0, {})
    state = place.serving("state")["main"]
    assert len(state["ids"]) == state["readable"] == 13
    assert state["index"] == state["ids"]


def test_drop_missing_alone_is_refused(place):
    assert "--repair" in place.refused("verify", "--catalogue-only", "--drop-missing")


def test_one_collection_can_be_checked_alone(place, kinds):
    (place.pictures / "3.png").unlink()

    assert place.admin("verify", "--collection", "sent", "--catalogue-only")[0] == 0
    assert place.admin("verify", "--collection", "main", "--catalogue-only")[0] == 1
    assert "does not exist" in place.refused(
        "verify", "--collection", "nothing", "--catalogue-only"
    )


def test_the_text_has_counts_meanings_and_examples(place):
    (place.pictures / "3.png").unlink()

    code, out, err = place.run("verify", "--catalogue-only")

    assert code == 1
    assert "1  image_lost: no source has the image's bytes" in out
    assert "pictures/3.png is gone" in out
    assert "images: 100%" in err


@pytest.fixture
def running(place):
    """Yield the place while a service runs on it."""
    with place.start_serving("hold") as process:
        assert process.stdout.readline() == "ready\n"
        yield place


def test_a_running_service_blocks_only_the_check_of_the_index(running):
    assert "use --catalogue-only" in running.refused("verify")
    assert running.admin("verify", "--catalogue-only")[0] == 0
    for command in (
        ["verify", "--catalogue-only", "--repair"],
        ["compact"],
        ["restore", running.folder / "backup", "--force"],
        ["import", running.folder / "main.parquet", "--collection", "copy"],
    ):
        if command[0] == "restore":
            assert running.admin("backup", running.folder / "backup")[0] == 0
        if command[0] == "import":
            assert (
                running.admin("export", running.folder / "main.parquet", "--collection", "main")[0]
                == 0
            )
        assert "stop the service" in running.refused(*command)
