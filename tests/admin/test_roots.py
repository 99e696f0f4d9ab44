"""`roots`: which folders are remembered, and forgetting one."""


def test_roots_are_listed_with_their_folders(place):
    code, record = place.admin("roots")
    assert code == 0
    assert [(one["name"], one["available"]) for one in record["roots"]] == [("pictures", True)]
    del place.settings["LOOKALIKE_IMAGE_ROOTS"]
    path = place.admin("roots")[1]["roots"][0]["path"]
    assert path.endswith("/pictures")
    assert path in place.run("roots")[1]


def test_a_folder_that_is_not_there_is_found(place):
    place.settings["LOOKALIKE_IMAGE_ROOTS"] = f"pictures={place.pictures}"
    for file in place.pictures.iterdir():
        file.unlink()
    code, record = place.admin("roots")
    assert (code, record["roots"][0]["available"]) == (1, False)
    assert "not mounted" in place.run("roots")[1]


def test_a_root_that_was_forgotten_is_not_read_and_its_images_stay(place):
    del place.settings["LOOKALIKE_IMAGE_ROOTS"]
    before = place.serving("state")["main"]
    place.admin("roots", "--forget", "pictures", "--dry-run")
    assert place.admin("roots")[1]["roots"][0]["available"]
    place.admin("roots", "--forget", "pictures")
    assert place.admin("roots")[1]["roots"] == [
        {"name": "pictures", "path": None, "available": False}
    ]
    after = place.serving("state")["main"]
    assert after["ids"] == before["ids"]
    assert after["readable"] == before["readable"] - 8
    place.settings["LOOKALIKE_IMAGE_ROOTS"] = str(place.pictures)
    assert place.serving("state")["main"]["readable"] == before["readable"]  # known by its files


def test_a_root_that_is_not_known_cannot_be_forgotten(place):
    assert "known are: pictures" in place.refused("roots", "--forget", "card")
