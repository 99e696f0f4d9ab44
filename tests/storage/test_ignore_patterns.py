import pathspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bento_service.errors import InvalidArgument
from bento_service.storage.ignore_patterns import Ignored, check_patterns


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


names = st.sampled_from(["a", "b", "ab", "a.b", "c"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
components = st.sampled_from(["a", "b", "*", "?", "a*", "*.b", "[ab]", "**"])


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(components, min_size=1, max_size=4), st.booleans()).map(
            lambda rule: "/" * rule[0] + "/".join(rule[1]) + "/" * rule[2]
        ),
        min_size=1,
        max_size=3,
    ),
    paths,
)
def test_patterns_agree_with_pathspec(patterns, path):
    # Of `a/**/**`, `a/**/` and of stars alone, pathspec makes something else than Git does.
    if any("**/**" in each or each.endswith("**/") or set(each) <= {"*", "/"} for each in patterns):
        return
    expected = pathspec.GitIgnoreSpec.from_lines(patterns).match_file(path)
    assert left_out(path, *patterns) == expected


def test_a_pattern_with_many_stars_is_fast():
    assert not left_out("a" * 255, "*a" * 60 + "b")


def test_too_many_patterns_are_refused():
    with pytest.raises(InvalidArgument, match="1000"):
        check_patterns(["a"] * 1001)
    with pytest.raises(InvalidArgument, match="1000"):
        check_patterns(["a" * 1001])
