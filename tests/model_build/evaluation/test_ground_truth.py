import pytest
from PIL import Image

from model_build.errors import EvaluationError
from model_build.evaluation.ground_truth import ground_truth


@pytest.fixture
def pictures(tmp_path):
    """Write small pictures; returns their folder."""

    def write(*names):
        for name in names:
            file = tmp_path / "pictures" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (80, 60)).save(file)
        return tmp_path / "pictures"

    return write


@pytest.fixture
def truth(tmp_path):
    """Write files of ground truth; returns their folder."""

    def write(**files):
        folder = tmp_path / "truth"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.txt").write_text(text)
        return folder

    return write


BUILDINGS = [f"hall_{number:06}.jpg" for number in range(6)]
FILES = {
    "hall_1_query": "oxc1_hall_000000 10.5 0.0 60.2 59.9\n",
    "hall_1_good": "hall_000000\nhall_000001\n",
    "hall_1_ok": "hall_000002\n",
    "hall_1_junk": "hall_000003\n",
}


def stems(protocol, places):
    return {protocol.pictures[place].path.stem for place in places}


# Oxford and Paris


def test_good_and_ok_are_relevant_and_junk_is_left_out_with_the_query(pictures, truth):
    protocol = ground_truth(truth(**FILES), [pictures(*BUILDINGS)])
    (question,) = protocol.questions
    assert stems(protocol, question.relevant) == {"hall_000001", "hall_000002"}
    assert stems(protocol, question.left_out) == {"hall_000000", "hall_000003"}
    assert stems(protocol, protocol.gallery) == {name[:-4] for name in BUILDINGS}


def test_the_query_is_the_part_of_its_picture_in_the_box(pictures, truth):
    protocol = ground_truth(truth(**FILES), [pictures(*BUILDINGS)])
    query = protocol.pictures[protocol.questions[0].query]
    assert query.path.stem == "hall_000000"
    assert query.region == (10, 0, 51, 60)  # x 10..61, y 0..60: no pixel of the box is lost
    assert protocol.questions[0].query not in protocol.gallery


def test_a_box_that_reaches_over_the_edge_ends_there(pictures, truth):
    over = FILES | {"hall_1_query": "hall_000000 -3 5 80.4 61"}
    protocol = ground_truth(truth(**over), [pictures(*BUILDINGS)])
    assert protocol.pictures[protocol.questions[0].query].region == (0, 5, 80, 55)


def test_pictures_may_lie_in_folders_as_those_of_paris_do(pictures, truth):
    files = {
        "defense_2_query": "paris_defense_000605 0 0 80 60",
        "defense_2_good": "paris_defense_000001\n",
        "defense_2_ok": "",
        "defense_2_junk": "",
    }
    folder = pictures("defense/paris_defense_000605.jpg", "other/paris_defense_000001.jpg")
    protocol = ground_truth(truth(**files), [folder])
    assert stems(protocol, protocol.questions[0].relevant) == {"paris_defense_000001"}


def test_a_query_with_its_own_picture_as_the_only_answer_is_skipped(pictures, truth):
    files = FILES | {"hall_1_good": "hall_000000\n", "hall_1_ok": ""}
    protocol = ground_truth(truth(**files), [pictures(*BUILDINGS)])
    assert (len(protocol.questions), protocol.skipped) == (0, 1)


def test_a_picture_that_is_good_and_junk_counts_as_good(pictures, truth):
    files = FILES | {"hall_1_junk": "hall_000001\n"}
    (question,) = ground_truth(truth(**files), [pictures(*BUILDINGS)]).questions
    assert not question.relevant & question.left_out
    assert len(question.relevant) == 2


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"hall_1_query": "hall_000000 1 2 3"}, "hall_1_query.txt does not hold"),
        ({"hall_1_query": "hall_000000 1 2 3 x"}, "hall_1_query.txt does not hold"),
        ({"hall_1_query": ""}, "hall_1_query.txt does not hold"),
        ({"hall_1_query": "hall_000099 1 2 3 4"}, "hall_1_query.txt names hall_000099"),
        ({"hall_1_query": "hall_000000 90 2 95 4"}, "the box does not lie in"),
        ({"hall_1_query": "hall_000000 20 20 10 10"}, "the box does not lie in"),
        ({"hall_1_ok": "hall_000099\n"}, "hall_1_ok.txt names hall_000099"),
    ],
)
def test_files_that_make_no_sense_are_reported(pictures, truth, files, message):
    with pytest.raises(EvaluationError, match=message):
        ground_truth(truth(**(FILES | files)), [pictures(*BUILDINGS)])


def test_a_query_without_its_other_files_is_reported(pictures, truth):
    folder = truth(**FILES)
    (folder / "hall_1_junk.txt").unlink()
    with pytest.raises(EvaluationError, match=r"there is no .*hall_1_junk\.txt"):
        ground_truth(folder, [pictures(*BUILDINGS)])


def test_two_pictures_of_one_name_could_both_be_meant(pictures, truth):
    with pytest.raises(EvaluationError, match="have one name"):
        ground_truth(truth(**FILES), [pictures(*BUILDINGS, "again/hall_000001.png")])


def test_a_folder_without_ground_truth_is_reported(pictures, truth):
    with pytest.raises(EvaluationError, match=r"neither \*_query\.txt .* nor holidays_images\.dat"):
        ground_truth(truth(), [pictures(*BUILDINGS)])


def test_a_folder_without_pictures_is_reported(truth, tmp_path):
    with pytest.raises(EvaluationError, match="holds no picture"):
        ground_truth(truth(**FILES), [tmp_path / "truth"])


# Holidays

HOLIDAYS = ["100000.jpg", "100001.jpg", "100002.jpg", "100100.jpg", "100101.jpg", "100200.jpg"]


@pytest.fixture
def holidays(truth):
    def write(names):
        folder = truth()
        (folder / "holidays_images.dat").write_text("".join(f"{name}\n" for name in names))
        return folder

    return write


def test_the_first_picture_of_each_scene_asks_for_the_others(pictures, holidays):
    protocol = ground_truth(holidays(HOLIDAYS), [pictures(*HOLIDAYS)])
    assert {
        protocol.pictures[one.query].path.stem: stems(protocol, one.relevant)
        for one in protocol.questions
    } == {"100000": {"100001", "100002"}, "100100": {"100101"}}
    assert protocol.skipped == 1  # 100200 is alone
    assert len(protocol.gallery) == 6
    assert all(question.left_out == {question.query} for question in protocol.questions)


def test_a_name_that_is_no_number_is_reported(pictures, holidays):
    names = [*HOLIDAYS, "beach.jpg"]
    with pytest.raises(EvaluationError, match=r"holidays_images\.dat: beach\.jpg is not a number"):
        ground_truth(holidays(names), [pictures(*names)])


def test_a_picture_of_the_list_that_is_not_there_is_reported(pictures, holidays):
    with pytest.raises(EvaluationError, match=r"holidays_images\.dat names 100201"):
        ground_truth(holidays([*HOLIDAYS, "100201.jpg"]), [pictures(*HOLIDAYS)])
