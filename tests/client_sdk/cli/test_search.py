import json

import httpx
import pytest

from tests.support.answers import found


@pytest.fixture
def picture(tmp_path):
    (tmp_path / "query.jpg").write_bytes(b"pixels")
    return str(tmp_path / "query.jpg")


def test_a_pipe_gets_a_line_for_each_hit_without_colour(lookalike, picture, hit):
    two = found(hit(), hit(image_id=9, score=0.5, source="photos/dog.jpg"))
    ran = lookalike("search", picture, answers={"search": two})
    assert ran.code == 0
    assert ran.rows == [
        ["7", "0.91234", "4x3", "photos/cat.jpg", "http://127.0.0.1:8001/c"],
        ["9", "0.5", "4x3", "photos/dog.jpg", "http://127.0.0.1:8001/c"],
    ]
    assert "\x1b" not in ran.out + ran.err


def test_a_pipe_gets_no_password_of_the_address(lookalike, picture, hit, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_URL", "http://me:secret@host:9/base/")
    ran = lookalike("search", picture, answers={"/base/api/v2/search": found(hit())})
    assert ran.rows == [["7", "0.91234", "4x3", "photos/cat.jpg", "http://host:9/base/c"]]
    assert ran.requests[0].headers["authorization"].startswith("Basic ")


def test_json_is_the_answer_of_the_service(lookalike, picture, hit):
    answer = {**found(hit(metadata={"größe": [1, None]})), "warnings": ["a film"]}
    ran = lookalike("search", picture, "--json", answers={"search": answer})
    assert {name: ran.document[name] for name in answer} == answer


def test_a_terminal_gets_a_table_in_colour(lookalike, picture, hit):
    ran = lookalike("search", picture, answers={"search": found(hit())}, tty=True)
    assert "source" in ran.out
    assert "0.912" in ran.out
    assert "\x1b[1;32m" in ran.out
    assert "1 in default, 6 ms" in ran.out


def test_no_color_is_respected(lookalike, picture, hit, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    answers = {"search": found(hit()), "images/7/thumbnail": httpx.Response(200)}
    ran = lookalike("search", picture, "--pictures", answers=answers, tty=True)
    assert "photos/cat.jpg" in ran.out
    assert "\x1b[3" not in ran.out
    assert "▀" not in ran.out


@pytest.mark.parametrize(
    "evil", ["\x1b[2Jcat\x07.jpg", "a\tb\nc\r.jpg", "\x9b31mcat.jpg", "‮gpj.jpg"]
)
@pytest.mark.parametrize("form", ["tty", "pipe", "json"])
def test_control_characters_in_names_are_replaced(lookalike, picture, hit, evil, form):
    options = ["--json"] if form == "json" else []
    answers = {"search": found(hit(source=evil, name=evil))}
    ran = lookalike("search", picture, *options, answers=answers, tty=form == "tty")
    cleaned = ran.out.replace("\x1b[", "") if form == "tty" else ran.out
    for letter in evil:
        if not letter.isprintable() and letter not in "\n\t\x1b":
            assert letter not in cleaned
    assert "\x1b[2J" not in ran.out
    if form == "pipe":
        assert [len(row) for row in ran.rows] == [5]
    if form == "json":
        assert ran.document["hits"][0]["source"] == evil


def test_names_are_not_interpreted_as_markup(lookalike, picture, hit):
    odd = "[bold red]:cat:[/].jpg"
    ran = lookalike("search", picture, answers={"search": found(hit(source=odd))}, tty=True)
    assert odd in ran.out


def test_no_hits_exit_with_1(lookalike, picture):
    ran = lookalike("search", picture, "--min-score", "0.9", answers={"search": found()})
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "nothing found in default with a score of 0.9 or more\n"


def test_options_are_sent(lookalike, picture, hit):
    options = ["-k", "3", "--offset", "5", "--region", "1,2,30,40", "--filter", "a == 1", "--exact"]
    ran = lookalike("search", picture, *options, "-c", "hats", answers={"search": found(hit())})
    body = ran.requests[0].content.decode("latin-1")
    for name, value in [
        ("top_k", "3"),
        ("offset", "5"),
        ("region", "1,2,30,40"),
        ("exact", "true"),
    ]:
        assert f'name="{name}"\r\n\r\n{value}\r\n' in body
    assert 'name="filter"\r\n\r\na == 1\r\n' in body
    assert 'name="collection"\r\n\r\nhats\r\n' in body


def test_a_dash_reads_the_picture_from_a_pipe(lookalike, hit):
    ran = lookalike("search", "-", answers={"search": found(hit())}, stdin=b"from a pipe")
    assert b"from a pipe" in ran.requests[0].content


def test_empty_standard_input_is_an_error(lookalike):
    ran = lookalike("search", "-")
    assert (ran.code, ran.requests) == (2, [])
    assert "standard input is empty" in ran.err


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("id:7", {"image_id": 7}),
        ("https://shop.example/a.jpg", {"url": "https://shop.example/a.jpg"}),
    ],
)
def test_stored_images_and_urls_are_queries(lookalike, hit, query, sent):
    ran = lookalike("search", query, answers={"search": found(hit())})
    assert sent.items() <= json.loads(ran.requests[0].content).items()


# textual-image asks Pillow for pixels in a way that Pillow is giving up.
@pytest.mark.filterwarnings("ignore:Image.Image.getdata:DeprecationWarning")
def test_pictures_are_drawn_on_request(lookalike, picture, hit, photographs):
    from PIL import Image

    with Image.open(photographs / "coffee.jpg") as photograph:
        photograph.thumbnail((64, 64))
        photograph.save(photographs.parent / "small.webp")
    small = (photographs.parent / "small.webp").read_bytes()
    answers = {"search": found(hit()), "images/7/thumbnail": httpx.Response(200, content=small)}
    ran = lookalike("search", picture, "--pictures", answers=answers, tty=True)
    assert ran.out.count("▀") > 50
    assert "photos/cat.jpg" in ran.out


@pytest.mark.parametrize("content", [b"", b"no picture", httpx.ConnectError("gone")])
def test_a_thumbnail_that_cannot_be_fetched_is_ignored(lookalike, picture, hit, content):
    thumbnail = content if isinstance(content, Exception) else httpx.Response(200, content=content)
    answers = {"search": found(hit()), "images/7/thumbnail": thumbnail}
    ran = lookalike("search", picture, "--pictures", answers=answers, tty=True)
    assert ran.code == 0
    assert "photos/cat.jpg" in ran.out


def test_a_pipe_never_gets_pictures(lookalike, picture, hit):
    ran = lookalike("search", picture, "--pictures", answers={"search": found(hit())})
    assert ran.out == "7\t0.91234\t4x3\tphotos/cat.jpg\thttp://127.0.0.1:8001/c\n"
    assert len(ran.requests) == 1
