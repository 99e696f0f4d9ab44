"""Image roots in object storage that is away, slow, forbidden or empty."""

import pytest

from bento_service.errors import Forbidden, StorageUnavailable
from bento_service.settings import ObjectImageRoot
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.object_root import ObjectRoot
from bento_service.storage.root import Presence
from tests.storage.roots import ADDRESS, presence, read, walk
from tests.support.object_storage import slow, unavailable

# Presence


def test_an_object_is_gone_only_while_others_are_there(s3_roots, at_s3):
    at_s3.put("some/prefix/b.jpg", b"b")
    assert presence(s3_roots, "a.jpg") is Presence.THERE
    at_s3.delete("some/prefix/a.jpg")
    assert presence(s3_roots, "a.jpg") is Presence.GONE
    at_s3.delete("some/prefix/b.jpg")
    at_s3.put("some/prefix/", b"")
    assert presence(s3_roots, "a.jpg") is Presence.UNCERTAIN


def test_of_a_missing_bucket_or_an_unknown_root_nothing_is_gone(at_s3):
    roots = ImageRoots([ObjectImageRoot("pictures", "s3://not-there/prefix")])
    assert presence(roots, "a.jpg") is Presence.UNCERTAIN
    assert presence(roots, "a.jpg", root="other") is Presence.UNCERTAIN


def forbidden(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("403 Forbidden", [("Content-Length", "0")])
    return []


def test_of_what_may_not_be_read_nothing_is_gone(s3_roots, at_s3):
    at_s3.fault = forbidden
    assert presence(s3_roots, "a.jpg") is Presence.UNCERTAIN
    assert "permissions or the credentials" in s3_roots.unavailable("pictures")
    for act in (read, walk):
        with pytest.raises(Forbidden, match="permissions or the credentials"):
            act(s3_roots, "a.jpg")


# Storage that is away


ACTS = {
    "walk": walk,
    "read": lambda roots: read(roots, "a.jpg"),
    "check": lambda roots: roots.check(roots.locate("a.jpg")),
    "check root": lambda roots: roots.check(roots.locate("")),
    "entries": lambda roots: roots.entries(roots.locate("")),
    "presence": lambda roots: presence(roots, "a.jpg"),
}


@pytest.mark.parametrize("name", ACTS)
def test_a_server_that_is_away_is_an_error_until_it_is_back(s3_roots, at_s3, name):
    at_s3.stop()
    try:
        with pytest.raises(StorageUnavailable, match="image root 'pictures' does not answer"):
            ACTS[name](s3_roots)
    finally:
        at_s3.start()
    ACTS[name](s3_roots)


@pytest.mark.parametrize("name", ACTS)
def test_a_server_that_answers_503_is_an_error(s3_roots, at_s3, name):
    at_s3.fault = unavailable
    with pytest.raises(StorageUnavailable):
        ACTS[name](s3_roots)
    at_s3.fault = None
    ACTS[name](s3_roots)


@pytest.mark.parametrize("name", ACTS)
def test_a_server_that_does_not_answer_in_time_is_an_error(at_s3, name):
    impatient = {"config_kwargs": {"read_timeout": 0.3, "retries": {"total_max_attempts": 1}}}
    roots = ImageRoots([])
    root = ObjectImageRoot("pictures", ADDRESS)
    at_s3.put("some/prefix/a.jpg", b"one")
    roots = ImageRoots([root])
    roots._files["pictures"] = ObjectRoot(root, **impatient)
    at_s3.fault = slow(1.0)
    with pytest.raises(StorageUnavailable):
        ACTS[name](roots)


def test_a_slow_server_is_only_slow(s3_roots, at_s3):
    at_s3.fault = slow(0.2)
    assert walk(s3_roots) == (["a.jpg"], {})
    assert read(s3_roots, "a.jpg") == b"one"


def test_why_a_root_is_unavailable(s3_roots, at_s3):
    assert s3_roots.unavailable("pictures") is None
    at_s3.delete("some/prefix/a.jpg")
    assert "'pictures' has no objects" in s3_roots.unavailable("pictures")
    at_s3.stop()
    try:
        assert "does not answer" in s3_roots.unavailable("pictures")
    finally:
        at_s3.start()
    missing = ImageRoots([ObjectImageRoot("pictures", "s3://not-there")])
    assert missing.unavailable("pictures") == "the bucket of image root 'pictures' is missing"
    assert "'other' is not known" in s3_roots.unavailable("other")


def message_of(act, roots):
    try:
        act(roots)
    except (StorageUnavailable, Forbidden) as error:
        return str(error)
    return ""


def test_no_error_has_the_address_and_neither_it_nor_the_log_credentials(
    at_s3, caplog, monkeypatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    roots = ImageRoots([ObjectImageRoot("pictures", ADDRESS)])
    messages = []
    for at_s3.fault in (unavailable, forbidden):
        messages += [message_of(act, roots) for act in ACTS.values()]
    assert "does not answer" in "".join(messages)
    assert "some/prefix" not in "".join(messages)
    assert caplog.text
    assert "hunter2" not in "".join(messages) + caplog.text
