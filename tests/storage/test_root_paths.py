"""Paths of requests, resolved to an image root and a path below it."""

import pytest

from bento_service.errors import Forbidden, InvalidArgument
from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("cats//a.jpg", "cats/a.jpg"),
        ("cats/./a.jpg", "cats/a.jpg"),
        ("cats/", "cats"),
        (".", ""),
        ("", ""),
        ("...", "..."),
        ("a..b", "a..b"),
    ],
)
def test_a_relative_path_is_relative_to_the_only_root(given, meant, roots):
    assert roots.locate(given).path == meant


def test_an_absolute_path_finds_its_root(tmp_path):
    roots = ImageRoots([ImageRoot(name, tmp_path / name) for name in ("cats", "dogs")])
    located = roots.locate(f"{tmp_path}/dogs/rex/1.jpg")
    assert (located.root.name, located.path) == ("dogs", "rex/1.jpg")


def test_a_root_itself_can_be_located(roots, folder):
    assert roots.locate(str(folder)).path == ""
    assert roots.locate(f"{folder}/").path == ""


def test_a_linked_root_is_located_by_the_path_that_the_operator_wrote(tmp_path, folder):
    roots = ImageRoots([ImageRoot("pictures", folder, spelled=tmp_path / "link")])
    assert roots.locate(f"{tmp_path}/link/a.jpg").path == "a.jpg"
    assert roots.locate(f"{folder}/a.jpg").path == "a.jpg"


@pytest.mark.parametrize(
    "path",
    ["..", "../private", "cats/..", "cats/../../private", "cats/../a.jpg", "./../a", "a/b/.."],
)
def test_parent_components_are_forbidden_wherever_they_lead(path, roots):
    with pytest.raises(Forbidden):
        roots.locate(path)


def test_parent_components_of_an_absolute_path_are_forbidden(roots, folder):
    with pytest.raises(Forbidden):
        roots.locate(f"{folder}/../private/secret.jpg")
    with pytest.raises(Forbidden):
        roots.locate(f"{folder}/../pictures/a.jpg")


@pytest.mark.parametrize("path", ["/", "/etc/passwd", "//etc/passwd", "/proc/self/root"])
def test_outside_of_every_root_is_forbidden(path, roots):
    with pytest.raises(Forbidden):
        roots.locate(path)


def test_a_folder_whose_name_begins_like_the_roots_is_outside(roots, folder):
    with pytest.raises(Forbidden):
        roots.locate(f"{folder}-of-mine/a.jpg")


def test_the_answer_for_paths_outside_does_not_reveal_if_they_exist(roots, outside, tmp_path):
    messages = []
    for path in (outside / "secret.jpg", tmp_path / "nowhere"):
        with pytest.raises(Forbidden) as caught:
            roots.locate(str(path))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "private" not in messages[0]


@pytest.mark.parametrize("path", ["a\0.jpg", "/\0", "\ud800.jpg", "/srv/\udfff"])
def test_characters_that_are_invalid_in_paths_are_refused(path, roots):
    with pytest.raises(InvalidArgument):
        roots.locate(path)


def test_without_roots_every_path_is_forbidden_with_advice():
    with pytest.raises(Forbidden, match="LOOKALIKE_IMAGE_ROOTS"):
        ImageRoots([]).locate("a.jpg")


def test_a_relative_path_names_one_of_several_roots(tmp_path):
    roots = ImageRoots([ImageRoot(name, tmp_path / name) for name in ("cats", "dogs")])
    assert roots.names == ("cats", "dogs")
    assert roots.locate("a.jpg", "dogs").root.name == "dogs"
    with pytest.raises(InvalidArgument, match="one of: cats, dogs"):
        roots.locate("a.jpg")
    with pytest.raises(Forbidden):
        roots.locate("a.jpg", "birds")
