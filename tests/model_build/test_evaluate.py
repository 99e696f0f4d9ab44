import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_build.evaluate import main

PROJECT = Path(__file__).parents[2]
HISTOGRAM = ("--describe", "colour-histogram")
HEADER = "descriptor        dim    mAP    R@1   R@10"


@pytest.fixture
def clothes(tmp_path):
    """Red hats and blue shoes: the colour tells them apart without fail."""
    folder = tmp_path / "clothes"
    drawn = np.random.default_rng(0)
    for label, channel in (("hat", 0), ("shoes", 2)):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            pixels = drawn.integers(0, 32, (40, 40, 3), np.uint8)
            pixels[..., channel] = drawn.integers(160, 255, (40, 40), np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    return folder


def refused(capsys, *arguments):
    """Return argparse's message for a wrong command line."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


def evaluated(capsys, *arguments):
    """Return the exit code and both outputs."""
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


# Evaluated images


def test_labelled_folders_are_a_table_on_standard_output(clothes, capsys):
    code, out, _ = evaluated(capsys, clothes, *HISTOGRAM)
    assert code == 0
    assert out.splitlines() == [
        "labelled folders, pictures: 6, labels: 2",
        "6 queries, 0 skipped without a relevant picture, 0 unreadable files",
        "",
        HEADER,
        "colour-histogram  512  100.0  100.0  100.0",
    ]


def test_by_default_every_descriptor_is_evaluated_against_the_replaced_systems(
    clothes, models, capsys
):
    code, out, err = evaluated(capsys, clothes, "--models", models)
    assert code == 0, err
    cells = [line.split() for line in out.splitlines()]
    assert cells[4][:2] == ["vgg16-mac", "512"]
    assert ["colour-histogram", "512", "100.0", "100.0", "100.0"] in cells
    assert "differences to vgg16-mac" in out


def test_several_folders_are_one_gallery_with_shared_labels(clothes, tmp_path, capsys):
    more = tmp_path / "more" / "hat"
    more.mkdir(parents=True)
    Image.new("RGB", (40, 40), (200, 0, 0)).save(more / "9.png")
    _, out, _ = evaluated(capsys, clothes, more.parent, *HISTOGRAM)
    assert out.startswith("labelled folders, pictures: 7, labels: 2\n")


def test_upper_levels_of_the_path_can_be_the_label(clothes, capsys):
    arguments = (clothes.parent, "--label-depth", "2", *HISTOGRAM)
    assert "labels: 2" in evaluated(capsys, *arguments)[1]
    code, _, err = evaluated(capsys, clothes.parent, "--label-depth", "1", *HISTOGRAM)
    assert (code, "one label" in err) == (1, True)


def test_a_list_of_labels_is_evaluated(clothes, capsys):
    lines = [f"{file.relative_to(clothes)},{file.parent.name}" for file in clothes.rglob("*.png")]
    (clothes / "list.csv").write_text("\n".join(["path,label", *lines]))
    code, out, _ = evaluated(capsys, "--csv", clothes / "list.csv", *HISTOGRAM)
    assert code == 0
    assert out.startswith("labelled list, pictures: 6, labels: 2\n")


def test_pairs_are_evaluated_among_further_pictures(clothes, capsys):
    (clothes / "pairs.csv").write_text("query,relevant\nhat/0.png,hat/1.png\n")
    arguments = ("--pairs", clothes / "pairs.csv", *HISTOGRAM)
    assert "query-relevant pairs, pictures: 1\n1 queries" in evaluated(capsys, *arguments)[1]
    _, out, _ = evaluated(capsys, *arguments, clothes)
    assert "query-relevant pairs, pictures: 6\n1 queries" in out


def test_published_ground_truth_is_evaluated(clothes, tmp_path, capsys):
    truth = tmp_path / "truth"
    truth.mkdir()
    for number, file in enumerate(sorted(clothes.rglob("*.png"))):
        file.rename(file.with_name(f"{number}.png"))
    (truth / "x_query.txt").write_text("oxc1_0 5 5 30 30")
    (truth / "x_good.txt").write_text("0\n1\n")
    (truth / "x_ok.txt").write_text("2\n")
    (truth / "x_junk.txt").write_text("3\n")
    code, out, _ = evaluated(capsys, "--ground-truth", truth, clothes, *HISTOGRAM)
    assert code == 0
    assert out.splitlines()[0] == "ground truth, pictures: 6"
    assert out.splitlines()[-1] == "colour-histogram  512  100.0  100.0  100.0"


def test_copies_are_reported_edit_by_edit(clothes, capsys):
    arguments = ("--copies", clothes, "--sample", "2", "--seed", "3", *HISTOGRAM)
    code, out, _ = evaluated(capsys, *arguments)
    assert code == 0
    assert "pictures: 6, repeated files: 0, originals: 2, edits: 24, seed: 3\n48 queries" in out
    assert len(out.split("for each edit")[1].splitlines()) == 2 + 24
    assert evaluated(capsys, *arguments)[1] == out


# Output


def test_json_goes_to_a_file_beside_the_table(clothes, tmp_path, capsys):
    file = tmp_path / "result.json"
    _, out, _ = evaluated(capsys, clothes, "--json", file, *HISTOGRAM)
    assert HEADER in out
    assert json.loads(file.read_text())["rows"][0]["measures"]["recall_at_1"]["value"] == 1.0


def test_json_on_standard_output_moves_the_table_away(clothes, capsys):
    _, out, err = evaluated(capsys, clothes, "--json", "-", *HISTOGRAM)
    assert json.loads(out)["queries"] == 6
    assert HEADER in err


def test_a_value_that_is_too_low_ends_with_1_and_says_which(clothes, capsys):
    # A shoe that is as red as a hat.
    Image.new("RGB", (40, 40), (200, 0, 0)).save(clothes / "shoes" / "red.png")
    arguments = ("--fail-under", "colour-histogram=0.1", "--fail-under", "colour-histogram=1")
    code, out, err = evaluated(capsys, clothes, *HISTOGRAM, *arguments)
    assert code == 1
    assert "colour-histogram  512" in out
    (line,) = [line for line in err.splitlines() if line.startswith("failed: ")]
    assert "mean_average_precision of colour-histogram is 0." in line
    assert line.endswith("at least 1.0 is set")


def test_values_that_are_reached_end_with_0(clothes, capsys):
    arguments = ("--fail-under", "colour-histogram=1", *HISTOGRAM)
    code, _, err = evaluated(capsys, clothes, *arguments)
    assert (code, "failed" in err) == (0, False)


# Failures


def test_an_unreadable_picture_is_reported_and_the_others_are_evaluated(clothes, capsys):
    (clothes / "hat" / "broken.png").write_bytes(b"no picture")
    code, out, _ = evaluated(capsys, clothes, *HISTOGRAM)
    assert code == 0
    assert "6 queries, 0 skipped without a relevant picture, 1 unreadable files" in out
    assert "broken.png: not a picture that can be read" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("empty",), "empty holds no picture"),
        (("nowhere",), "nowhere is not a folder"),
        (("--csv", "nowhere.csv"), "No such file"),
        (("--csv", "bad.csv"), "bad.csv, line 3: 1 values for 2 columns"),
        (("--describe", "vgg19", "clothes"), "no descriptor vgg19; there are "),
        (("--models", "empty", "clothes"), "is not in empty; build it with"),
        (("--fail-under", "vgg19=0.4", "clothes"), "--fail-under names vgg19"),
    ],
)
def test_a_failure_is_one_line_and_exit_code_1(
    clothes, tmp_path, capsys, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("bad.csv").write_text("path,label\nclothes/hat/0.png,x\nclothes/hat/1.png\n")
    code, out, err = evaluated(capsys, *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "at least one folder"),
        (("--copies",), "at least one folder"),
        (("--ground-truth", "x"), "at least one folder"),
        (("--csv", "x", "folder"), "give no folders with it"),
        (("--csv", "x", "--pairs", "y"), "not allowed with"),
        (("--sample", "3", "folder"), "belong to --copies"),
        (("--seed", "0", "folder"), "belong to --copies"),
        (("--copies", "folder", "--sample", "0"), "'0' is not a whole number from 1 on"),
        (("--copies", "folder", "--sample", "many"), "'many' is not a whole number"),
        (("--csv", "x", "--label-depth", "1"), "belongs to labelled folders"),
        (("--fail-under", "vgg16-mac=40", "folder"), "not a share between 0 and 1"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(capsys, arguments, message):
    assert message in refused(capsys, *arguments)


def test_an_interruption_is_reported_without_a_traceback(clothes, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("model_build.evaluate.evaluate", interrupted)
    assert evaluated(capsys, clothes, *HISTOGRAM) == (130, "", "interrupted\n")


def test_as_a_program_it_writes_the_table_alone_to_standard_output(clothes):
    run = subprocess.run(
        [sys.executable, "-m", "model_build.evaluate", clothes, *HISTOGRAM],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[3] == HEADER


def test_it_needs_no_pytorch():
    code = "import sys, model_build.evaluate; sys.exit(bool({'torch', 'onnx'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True, timeout=120)
