"""`roots`: listing and forgetting image roots."""


def test_roots_are_listed_with_their_folders(place):
    code, record = place.admin("roots")
    assert code == 0
    assert [(root["name"], root["available"]) for root in record["roots"]] == [("pictures", True)]
    del place.settings["LOOKALIKE_IMAGE_ROOTS"]
    path = place.admin("roots")[1]["roots"][0]["path"]
    assert path.endswith("/pictures")
    assert path in place.run("roots")[1]


def test_an_empty_root_is_reported_as_unavailable(place):
    place.settings["LOOKALIKE_IMAGE_ROOTS"] = f"pictures={place.pictures}"
    for file in place.pictures.iterdir():
        file.unlink()
    code, record = place.admin("roots")
    assert (code, record["roots"][0]["available"]) == (1, False)
    assert "not mounted" in place.run("roots")[1]


def test_a_forgotten_root_is_not_read_and_its_images_stay(place):
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


def test_an_unknown_root_cannot_be_forgotten(place):
    assert "known are: pictures" in place.refused("roots", "--forget", "card")
