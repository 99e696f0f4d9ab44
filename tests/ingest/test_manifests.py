import io
import json
import os

import pytest
from hypothesis import given
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
    return {each.line: str(each.reason) for each in read(text) if isinstance(each, Faulty)}


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


def test_other_columns_of_csv_are_metadata_with_inferred_types():
    table = (
        "\ufeffop,path,id,shop,price,count,sold,code,note\n"
        'add,a.jpg,,north,2.50,-3,true,007,"says ""hi"", twice"\n'
        ",b.jpg,,,,,,,\n"
        "delete,,12,,,,,,\n"
    )
    metadata = {
        "shop": "north",
        "price": 2.5,
        "count": -3,
        "sold": True,
        "code": "007",
        "note": 'says "hi", twice',
    }
    assert read(table) == [
        Addition(2, "a.jpg", metadata),
        Addition(3, "b.jpg", {}),
        Deletion(4, image_id=12),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_with_the_delimiter_of_its_header(delimiter):
    assert read(f"path{delimiter}shop\na.jpg{delimiter}north\n") == [
        Addition(2, "a.jpg", {"shop": "north"})
    ]


def test_csv_with_only_paths_has_no_metadata():
    assert read("path\na.jpg\n") == [Addition(2, "a.jpg", None)]


def test_an_invalid_line_is_reported_by_number_and_the_next_is_read():
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
        result = read(good + line + "\n" + good)
        assert result[::2] == [Addition(1, "good.jpg"), Addition(3, "good.jpg")]
        assert isinstance(result[1], Faulty)
        assert why in str(result[1].reason)


def test_an_unclosed_quote_spoils_only_its_own_line():
    table = 'path,note\na.jpg,"open\nb.jpg,fine\nc.jpg\nd.jpg,too,many\ne.jpg,last'
    assert [each for each in read(table) if not isinstance(each, Faulty)] == [
        Addition(3, "b.jpg", {"note": "fine"}),
        Addition(6, "e.jpg", {"note": "last"}),
    ]
    assert set(reasons(table)) == {2, 4, 5}


def test_an_endless_line_is_skipped_without_keeping_it_in_memory():
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


def test_a_line_that_is_not_utf_8_is_reported():
    assert read(b'{"path": "a.jpg"}\n{"path": "\xff.jpg"}\n')[0] == Addition(1, "a.jpg")
    assert "UTF-8" in reasons(b'{"path": "a.jpg"}\n{"path": "\xff.jpg"}\n')[2]


def test_a_path_may_have_escaped_bytes_that_are_not_utf_8_but_metadata_may_not():
    path = os.fsdecode(b"caf\xe9.jpg")
    assert read(json.dumps({"path": path})) == [Addition(1, path)]
    line = json.dumps({"path": "a.jpg", "metadata": {"name": path}})
    assert "half a surrogate pair" in reasons(line)[1]


def test_invalid_metadata_is_refused_for_its_line():
    line = json.dumps({"path": "a", "metadata": {str(n): n for n in range(1001)}})
    assert "1000" in reasons(line)[1]


@pytest.mark.parametrize(
    "text",
    ["[\n{}\n]", "shop,price\nnorth,1\n", "path,path\n", "path,,x\n", "path,metadata\n", '"path'],
)
def test_other_files_are_refused_as_a_whole(text):
    with pytest.raises(InvalidArgument, match="manifest"):
        read(text)


def test_an_empty_manifest_has_no_statements():
    assert read("") == read("\n\n") == []


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
metadatas = st.dictionaries(texts, values | st.lists(values, max_size=3), max_size=4)


@given(st.lists(st.tuples(texts, st.none() | metadatas), max_size=8), st.booleans())
def test_statements_survive_a_round_trip_through_json_lines(pictures, ascii_only):
    lines = [
        json.dumps({"path": path, "metadata": metadata}, ensure_ascii=ascii_only)
        for path, metadata in pictures
    ]
    assert read("\n".join(lines)) == [
        Addition(number, path, metadata) for number, (path, metadata) in enumerate(pictures, 1)
    ]


@given(st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), max_size=8))
def test_good_lines_are_read_whatever_is_between_them(noise):
    good = b'{"path": "good.jpg"}'
    data = b"\n".join(
        [good, *(line for pair in zip(noise, [good] * len(noise), strict=True) for line in pair)]
    )
    result = read(data)
    assert [each.path for each in result if each in (Addition(each.line, "good.jpg"),)] == (
        ["good.jpg"] * (len(noise) + 1)
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_statements_or_one_error(data):
    try:
        result = read(data)
    except InvalidArgument:
        return
    assert all(isinstance(each, Addition | Deletion | Faulty) for each in result)
