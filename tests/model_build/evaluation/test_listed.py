import pytest

from model_build.errors import EvaluationError
from model_build.evaluation.listed import labelled_list, query_relevant_pairs


@pytest.fixture
def listing(tmp_path):
    """Write a file next to pictures a to e, and a folder `more` with f and g."""
    for name in ("a.png", "b.png", "c.png", "d.png", "e.png", "more/f.png", "more/g.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def write(text, encoding="utf-8"):
        file = tmp_path / "list.csv"
        file.write_bytes(text.encode(encoding))
        return file

    return write


def asked(protocol):
    name = [picture.path.stem for picture in protocol.pictures]
    return {
        name[question.query]: "".join(sorted(name[place] for place in question.relevant))
        for question in protocol.questions
    }


def searched(protocol):
    return "".join(protocol.pictures[place].path.stem for place in protocol.gallery)


# Labels


def test_pictures_of_one_label_ask_for_each_other(listing):
    file = listing("path,label\na.png,x\nb.png,y\nc.png,x\nd.png,y\ne.png,z\n")
    protocol = labelled_list(file)
    assert asked(protocol) == {"a": "c", "b": "d", "c": "a", "d": "b"}
    assert searched(protocol) == "abcde"
    assert protocol.skipped == 1


@pytest.mark.parametrize(
    "text",
    [
        "label,path\nx,a.png\nx,b.png\ny,c.png\n",
        "path,photographer,label\na.png,me,x\nb.png,you,x\nc.png,me,y\n",
        "\ufeffpath,label\r\na.png,x\r\n\r\nb.png,x\r\nc.png,y\r\n",
        ' path , label \na.png, x\n"b.png",x\nc.png,"y, or z"\n',
    ],
)
def test_columns_are_found_by_name_and_blanks_do_not_matter(listing, text):
    assert asked(labelled_list(listing(text))) == {"a": "b", "b": "a"}


def test_paths_may_be_absolute(listing, tmp_path):
    text = f"path,label\n{tmp_path}/a.png,x\nb.png,x\nc.png,y\n"
    assert asked(labelled_list(listing(text))) == {"a": "b", "b": "a"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the first line must name the columns path,label"),
        ("a.png,x\nb.png,x\n", "line 1: the first line must name the columns"),
        ("path,label,label\na.png,x,y\n", "line 1: the first line must name the columns"),
        ("path,label\na.png,x\nb.png\n", "line 3: 1 values for 2 columns"),
        ("path,label\na.png,x\n\nb.png,x,y\n", "line 4: 3 values for 2 columns"),
        ("path,label\na.png,x\nb.png, \n", "line 3: no value of path,label may be empty"),
        ("path,label\na.png,x\n,x\n", "line 3: no value of path,label may be empty"),
        ("path,label\na.png,x\nzebra.png,x\n", r"line 3: there is no file zebra\.png"),
        ("path,label\na.png,x\nmore,x\n", "line 3: there is no file more"),
        ("path,label\na.png,x\nb.png,y\nmore/../a.png,y\n", "line 4: .*a.png is in line 2 already"),
        ('path,label\na.png,"x\n', r"line 2: unexpected end of data"),
        ('path,label\na.png,"x"y\n', "line 2: .*expected after"),
    ],
)
def test_a_line_that_makes_no_sense_is_reported_with_its_number(listing, text, message):
    with pytest.raises(EvaluationError, match=rf"list\.csv, {message}"):
        labelled_list(listing(text))


def test_a_list_without_lines_is_reported(listing):
    with pytest.raises(EvaluationError, match=r"list\.csv has no line below"):
        labelled_list(listing("path,label\n\n"))


def test_another_encoding_is_reported(listing):
    with pytest.raises(EvaluationError, match="not UTF-8"):
        labelled_list(listing("path,label\na.png,grün\n", encoding="latin-1"))


def test_a_list_with_one_label_says_nothing(listing):
    with pytest.raises(EvaluationError, match="one label"):
        labelled_list(listing("path,label\na.png,x\nb.png,x\n"))


# Pairs


def test_a_query_asks_for_all_that_its_lines_name(listing):
    file = listing("query,relevant\na.png,b.png\na.png,c.png\nd.png,c.png\na.png,b.png\n")
    protocol = query_relevant_pairs(file)
    assert asked(protocol) == {"a": "bc", "d": "c"}
    assert searched(protocol) == "bc"


def test_a_query_that_is_searched_too_is_left_out_of_its_own_ranking(listing):
    protocol = query_relevant_pairs(listing("query,relevant\na.png,b.png\nb.png,a.png\n"))
    assert asked(protocol) == {"a": "b", "b": "a"}
    assert searched(protocol) == "ab"
    assert all(question.left_out == {question.query} for question in protocol.questions)


def test_further_pictures_can_be_searched(listing, tmp_path):
    file = listing("query,relevant\na.png,b.png\nc.png,more/f.png\n")
    protocol = query_relevant_pairs(file, [tmp_path / "more"])
    assert asked(protocol) == {"a": "b", "c": "f"}
    assert searched(protocol) == "bfg"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.png,x\n", "line 1: the first line must name the columns query,relevant"),
        ("query,relevant\na.png,b.png\nc.png,./c.png\n", r"line 3: .*c\.png is named as relevant"),
        ("query,relevant\na.png,b.png\nc.png,x.png\n", r"line 3: there is no file x\.png"),
    ],
)
def test_a_pair_that_makes_no_sense_is_reported_with_its_line(listing, text, message):
    with pytest.raises(EvaluationError, match=message):
        query_relevant_pairs(listing(text))


def test_a_list_without_pairs_is_rejected(listing):
    with pytest.raises(EvaluationError, match="no line"):
        query_relevant_pairs(listing("query,relevant\n"))
