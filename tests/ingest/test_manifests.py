import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bento_service.errors import InvalidArgument
from bento_service.ingest.manifests import (
    MAX_LINE_BYTES,
    Addition,
    Deletion,
    Faulty,
    statements,
)


def read(text):
    data = text if isinstance(text, bytes) else text.encode()
    return list(statements(io.BytesIO(data)))


def reasons(text):
    return {one.line: str(one.reason) for one in read(text) if isinstance(one, Faulty)}


def test_lines_of_json_add_and_delete():
    digest = "AB" * 32
    lines = [
        '{"path": "a.jpg"}',
        "",
        '{"op": "add", "path": "b/é.jpg", "metadata": {"shop": "north", "price": 2.5}}',
        '{"op": "delete", "path": "c.jpg"}',
        f'{{"op": "delete", "sha256": "{digest}"}}',
        '{"op": "delete", "id": 7}',
    ]
    assert read("\r\n".join(lines)) == [
        Addition(1, "a.jpg"),
        Addition(3, "b/é.jpg", {"shop": "north", "price": 2.5}),
        Deletion(4, path="c.jpg"),
        Deletion(5, sha256="ab" * 32),
        Deletion(6, image_id=7),
    ]


def test_other_columns_of_a_table_are_metadata_of_the_kind_that_they_look_like():
    table = (
        "\ufeffop,path,id,shop,price,count,sold,code,note\n"
        'add,a.jpg,,north,2.50,-3,true,007,"says ""hi"", twice"\n'
        ",b.jpg,,,,,,,\n"
        "delete,,12,,,,,,\n"
    )
    said = {
        "shop": "north",
        "price": 2.5,
        "count": -3,
        "sold": True,
        "code": "007",
        "note": 'says "hi", twice',
    }
    assert read(table) == [
        Addition(2, "a.jpg", said),
        Addition(3, "b.jpg", {}),
        Deletion(4, image_id=12),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_are_read_with_the_delimiter_of_their_header(delimiter):
    assert read(f"path{delimiter}shop\na.jpg{delimiter}north\n") == [
        Addition(2, "a.jpg", {"shop": "north"})
    ]


def test_a_table_of_paths_alone_says_nothing_of_metadata():
    assert read("path\na.jpg\n") == [Addition(2, "a.jpg", None)]


def test_a_wrong_line_is_told_by_its_number_and_the_next_is_read():
    good = '{"path": "good.jpg"}\n'
    wrong = {
        "{": "JSON",
        "[1]": "object",
        '{"op": "move", "path": "a"}': "'move'",
        '{"pth": "a"}': "'pth'",
        "{}": "path",
        '{"path": 7}': "path",
        '{"path": "a", "metadata": [1]}': "metadata",
        '{"path": "a", "id": 1}': "delete",
        '{"op": "delete"}': "exactly one",
        '{"op": "delete", "id": 1, "path": "a"}': "exactly one",
        '{"op": "delete", "id": 0}': "id",
        '{"op": "delete", "id": true}': "id",
        '{"op": "delete", "sha256": "12"}': "64",
        '{"op": "delete", "id": 1, "metadata": {}}': "metadata",
        '{"path": "a", "metadata": {"x": NaN}}': "JSON",
        "[" * 100_000: "inside each other",
    }
    for line, why in wrong.items():
        found = read(good + line + "\n" + good)
        assert found[::2] == [Addition(1, "good.jpg"), Addition(3, "good.jpg")]
        assert isinstance(found[1], Faulty)
        assert why in str(found[1].reason)


def test_a_quote_that_is_not_closed_spoils_its_own_line_alone():
    table = 'path,note\na.jpg,"open\nb.jpg,fine\nc.jpg\nd.jpg,too,many\ne.jpg,last'
    assert [one for one in read(table) if not isinstance(one, Faulty)] == [
        Addition(3, "b.jpg", {"note": "fine"}),
        Addition(6, "e.jpg", {"note": "last"}),
    ]
    assert set(reasons(table)) == {2, 4, 5}


def test_a_line_without_end_is_skipped_without_being_held():
    class Endless(io.RawIOBase):
        pieces = iter(
            [
                b"{" * (MAX_LINE_BYTES + 1),
                *[b"{" * MAX_LINE_BYTES] * 20,
                b"}\n",
                b'{"path": "a.jpg"}',
            ]
        )

        def readline(self, size=-1):
            assert 0 < size <= MAX_LINE_BYTES + 1
            return next(self.pieces, b"")[:size]

    long, good = statements(Endless())
    assert isinstance(long, Faulty)
    assert "longer" in str(long.reason)
    assert good == Addition(2, "a.jpg")


def test_a_line_that_is_not_utf_8_is_told():
    assert read(b'{"path": "a.jpg"}\n{"path": "\xff.jpg"}\n')[0] == Addition(1, "a.jpg")
    assert "UTF-8" in reasons(b'{"path": "a.jpg"}\n{"path": "\xff.jpg"}\n')[2]


def test_metadata_that_no_filter_could_use_is_refused_for_its_line():
    line = json.dumps({"path": "a", "metadata": {str(n): n for n in range(1001)}})
    assert "1000" in reasons(line)[1]


@pytest.mark.parametrize(
    "text",
    ["[\n{}\n]", "shop,price\nnorth,1\n", "path,path\n", "path,,x\n", "path,metadata\n", '"path'],
)
def test_what_is_no_manifest_is_refused_as_a_whole(text):
    with pytest.raises(InvalidArgument, match="manifest"):
        read(text)


def test_an_empty_manifest_says_nothing():
    assert read("") == read("\n\n") == []


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
said = st.dictionaries(texts, values | st.lists(values, max_size=3), max_size=4)


@settings(deadline=None)
@given(st.lists(st.tuples(texts, st.none() | said), max_size=8), st.booleans())
def test_what_is_written_as_json_lines_is_what_is_read(wanted, ascii_only):
    lines = [
        json.dumps({"path": path, "metadata": metadata}, ensure_ascii=ascii_only)
        for path, metadata in wanted
    ]
    assert read("\n".join(lines)) == [
        Addition(number, path, metadata) for number, (path, metadata) in enumerate(wanted, 1)
    ]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), max_size=8))
def test_whatever_stands_between_good_lines_they_are_read(noise):
    good = b'{"path": "good.jpg"}'
    data = b"\n".join(
        [good, *(line for pair in zip(noise, [good] * len(noise), strict=True) for line in pair)]
    )
    found = read(data)
    assert [one.path for one in found if one in (Addition(one.line, "good.jpg"),)] == (
        ["good.jpg"] * (len(noise) + 1)
    )


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_statements_or_one_refusal(data):
    try:
        found = read(data)
    except InvalidArgument:
        return
    assert all(isinstance(one, Addition | Deletion | Faulty) for one in found)
