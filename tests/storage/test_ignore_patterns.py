import pytest

from bento_service.errors import InvalidArgument
from bento_service.storage.ignore_patterns import Ignored, check_patterns
from client_sdk.schemas.patterns import Patterns


def left_out(path, *patterns):
    return Ignored(patterns).file(path)


@pytest.mark.parametrize(
    ("pattern", "gone", "kept"),
    [
        ("*.gif", ["a.gif", "b/c/d.GIF"], ["gif", "a.gif.png"]),
        ("drafts/", ["drafts/a", "x/Drafts/y/z"], ["drafts", "x/drafts", "my drafts/a"]),
        ("drafts/*", ["drafts/a", "drafts/b/c"], ["x/drafts/a"]),
        ("/a.png", ["a.png"], ["b/a.png"]),
        ("a/b", ["a/b", "a/b/c"], ["x/a/b"]),
        ("**/thumbs/**", ["thumbs/a", "x/y/thumbs/z/a"], ["thumbs", "x/thumbs.png"]),
        ("a/**/z.png", ["a/z.png", "a/b/c/z.png"], ["z.png", "b/a/z.png"]),
        ("thumbs", ["thumbs/a", "x/thumbs/a", "thumbs"], ["thumbs2/a"]),
        ("[ab]?.png", ["a1.png", "x/B2.png"], ["c1.png", "a12.png"]),
        (".*", [".hidden/a", "b/.c"], ["a.b"]),
        ("", [], ["a"]),
    ],
)
def test_patterns_follow_the_rules_of_gitignore(pattern, gone, kept):
    assert [path for path in gone if not left_out(path, pattern)] == []
    assert [path for path in kept if left_out(path, pattern)] == []


def test_a_later_pattern_overrides_an_earlier_one():
    assert not left_out("x/cover.gif", "*.gif", "!cover.gif")
    assert left_out("x/cover.gif", "!cover.gif", "*.gif")
    assert left_out("x/cover.gif", "x/", "!cover.gif")  # a folder excludes its contents


def test_the_client_and_the_service_understand_patterns_alike():
    patterns = ["*.gif", "!keep.gif", "drafts/", "a/**/z.png", "[ab]?.png", "**/thumbs/**"]
    service, client = Ignored(patterns), Patterns(patterns)
    paths = ["x.GIF", "keep.gif", "drafts/a", "a/b/z.png", "b1.png", "x/thumbs/y", "thumbs", "c"]
    assert [service.file(path) for path in paths] == [client.file(path) for path in paths]
    assert [path for path in paths if not client.file(path)] == ["keep.gif", "thumbs", "c"]


@pytest.mark.parametrize("name", ["a\nb.gif", "a\n/b.gif", "\udcff.gif", "\udcff/b.gif"])
def test_any_name_that_a_file_can_have_is_matched(name):
    assert left_out(name, "*.gif")
    assert not left_out(f"{name}\n", "*.gif")


@pytest.mark.parametrize("pattern", ["!", "[z-a]", "a\\"])
def test_a_pattern_that_is_not_valid_is_refused(pattern):
    with pytest.raises(InvalidArgument, match="ignore: a pattern is not valid"):
        check_patterns(["*.gif", pattern])


def test_a_pattern_with_many_stars_is_fast():
    assert not left_out("a" * 255, "*a" * 60 + "b")
    assert not left_out("a/" * 100 + "c", "**/a/" * 60 + "b")


def test_too_many_patterns_are_refused():
    with pytest.raises(InvalidArgument, match="1000"):
        check_patterns(["a"] * 1001)
    with pytest.raises(InvalidArgument, match="1000"):
        check_patterns(["a" * 1001])
