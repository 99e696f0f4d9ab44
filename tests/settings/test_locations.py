import os
from pathlib import Path

import pytest

from bento_service.settings.locations import check_absolute, check_outside_code, default_data_dir


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "pyproject.toml").touch()
    return tmp_path / "checkout"


@pytest.fixture
def bento(tmp_path):
    """Return the sources in a Bento."""
    (tmp_path / "bento" / "src").mkdir(parents=True)
    (tmp_path / "bento" / "bento.yaml").touch()
    return tmp_path / "bento" / "src"


def test_a_checkout_has_its_data_folder_inside_in_any_working_directory(checkout, monkeypatch):
    monkeypatch.chdir("/")
    assert default_data_dir({"HOME": "/home/me"}, code=checkout) == checkout / "data"


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/home/me"}, "/home/me/.local/share/lookalike"),
        ({"HOME": "/home/me", "XDG_DATA_HOME": "/srv/data"}, "/srv/data/lookalike"),
        ({"HOME": "/home/me", "XDG_DATA_HOME": ""}, "/home/me/.local/share/lookalike"),
        ({"HOME": "/home/me", "XDG_DATA_HOME": "data"}, "/home/me/.local/share/lookalike"),
    ],
)
def test_other_installations_use_the_users_data_folder(bento, environment, folder):
    assert default_data_dir(environment, code=bento) == Path(folder)


@pytest.mark.parametrize("environment", [{}, {"HOME": ""}, {"HOME": "home"}])
def test_without_a_home_the_data_folder_must_be_set(bento, environment):
    with pytest.raises(ValueError, match="LOOKALIKE_DATA_DIR is not set and there is no HOME"):
        default_data_dir(environment, code=bento)


def test_a_container_uses_its_volume_as_data_folder(bento, tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    environment = {"BENTOML_CONTAINERIZED": "true", "HOME": "/home/bentoml"}
    assert default_data_dir(environment, code=bento, container_data=volume) == volume


def test_a_container_without_a_volume_is_refused(bento, tmp_path):
    missing = tmp_path / "volume"
    with pytest.raises(ValueError, match=rf"no folder {missing} that user {os.getuid()} may write"):
        default_data_dir({"BENTOML_CONTAINERIZED": "1"}, code=bento, container_data=missing)


def test_relative_paths_are_valid_in_the_folder_of_the_checkout(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    check_absolute("LOOKALIKE_DATA_DIR", Path("data"), code=checkout)


def test_relative_paths_are_refused_in_other_folders(checkout, bento, monkeypatch):
    monkeypatch.chdir("/")
    with pytest.raises(ValueError, match=r"LOOKALIKE_TLS_KEY is key.pem, and relative"):
        check_absolute("LOOKALIKE_TLS_KEY", Path("key.pem"), code=checkout)
    monkeypatch.chdir(bento)
    with pytest.raises(ValueError, match="begins with /"):
        check_absolute("LOOKALIKE_DATA_DIR", Path("data"), code=bento)
    check_absolute("LOOKALIKE_DATA_DIR", Path("/srv/data"), code=bento)


@pytest.mark.parametrize("place", ["", "src", "src/data", "../link/src/data"])
def test_no_data_is_written_into_a_bento(bento, tmp_path, place):
    (tmp_path / "link").symlink_to(bento.parent)
    with pytest.raises(ValueError, match=f"lies in the Bento {bento.parent}; give"):
        check_outside_code("LOOKALIKE_DATA_DIR", bento.parent / place)


def test_no_data_is_written_into_a_package(checkout):
    with pytest.raises(ValueError, match="lies in the program's code"):
        check_outside_code(
            "LOOKALIKE_DATA_DIR", checkout / "bento_service" / "web" / "data", code=checkout
        )
    check_outside_code("LOOKALIKE_DATA_DIR", checkout / "data", code=checkout)
