import io

import numpy as np
import pytest
from PIL import Image

from bento_service.errors import LookalikeError, TooLarge
from model_build.evaluation.edits import EDITS, LONGEST_SIDE, edited_copy


def encoded(image, file_format="PNG"):
    file = io.BytesIO()
    image.save(file, file_format)
    return file.getvalue()


def smooth(width=120, height=80):
    """Red rises to the right, green downwards, blue is 128."""
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([red, green, np.full_like(red, 128)], 2).astype(np.uint8))


SMOOTH = encoded(smooth())


def copy(edit, content=SMOOTH, seed=0):
    with Image.open(io.BytesIO(edited_copy(content, edit=edit, seed=seed))) as image:
        image.load()
        return image


def pixels(image):
    return np.asarray(image.convert("RGB"), dtype=np.float64)


ORIGINAL = pixels(smooth())


def close(image, expected, tolerance=6.0):
    """Return true if two pictures differ by no more than WebP and JPEG lose."""
    assert pixels(image).shape == expected.shape
    return np.abs(pixels(image) - expected).mean() < tolerance


def quality_scale(image):
    """Return the mean of the luminance quantisation table; libjpeg scales it with the quality."""
    return np.mean(image.quantization[0])


def test_the_limits_of_pixels_are_those_of_the_service():
    large = Image.new("L", (8_000, 7_000))
    with pytest.raises(TooLarge, match="at most 50000000"):
        copy("jpeg30", encoded(large))
    assert copy("jpeg30", encoded(large, "JPEG")).size == (LONGEST_SIDE, 896)


def test_there_are_twenty_four():
    assert len(EDITS) == 24


@pytest.mark.parametrize("edit", EDITS)
def test_every_copy_is_a_jpeg_that_depends_on_the_seed_the_edit_and_the_picture_alone(edit):
    first = edited_copy(SMOOTH, edit=edit, seed=3)
    assert first == edited_copy(SMOOTH, edit=edit, seed=3)
    assert copy(edit).format == "JPEG"
    assert copy(edit).mode == "RGB"


@pytest.mark.parametrize("edit", ["crop70", "crop50", "crop30", "tilt", "noise"])
def test_random_numbers_change_with_the_seed(edit):
    assert len({edited_copy(SMOOTH, edit=edit, seed=seed) for seed in range(8)}) == 8


@pytest.mark.parametrize("edit", ["stretch", "border"])
def test_a_choice_of_two_changes_with_the_seed(edit):
    assert len({edited_copy(SMOOTH, edit=edit, seed=seed) for seed in range(12)}) == 2


def test_every_edit_makes_another_copy():
    assert len({edited_copy(SMOOTH, edit=edit, seed=0) for edit in EDITS}) == len(EDITS)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("edit", EDITS)
def test_no_picture_is_too_small_or_too_thin(edit, size):
    assert min(copy(edit, encoded(Image.new("RGB", size, (10, 200, 30)))).size) >= 1


@pytest.mark.parametrize("edit", ["jpeg70", "jpeg30", "jpeg10"])
def test_lower_qualities_are_jpegs_of_that_quality_and_look_the_same(edit):
    file = io.BytesIO()
    smooth().save(file, "JPEG", quality=int(edit.removeprefix("jpeg")))
    with Image.open(file) as expected:
        assert quality_scale(copy(edit)) == quality_scale(expected)
    assert close(copy(edit), ORIGINAL, tolerance=12)


def test_the_other_copies_are_saved_at_quality_90():
    file = io.BytesIO()
    smooth().save(file, "JPEG", quality=90)
    with Image.open(file) as expected:
        assert quality_scale(copy("flip")) == quality_scale(expected)


@pytest.mark.parametrize(("edit", "share"), [("half-size", 2), ("quarter-size", 4)])
def test_scaled_copies_have_a_share_of_each_side(edit, share):
    assert copy(edit).size == (120 // share, 80 // share)
    assert close(copy(edit), pixels(smooth(120 // share, 80 // share)))


def test_a_stretched_copy_is_a_quarter_wider_or_taller():
    sizes = {copy("stretch", seed=seed).size for seed in range(12)}
    assert sizes == {(150, 80), (120, 100)}


@pytest.mark.parametrize("percent", [70, 50, 30])
def test_a_crop_keeps_its_share_of_the_area_and_the_shape(percent):
    cropped = copy(f"crop{percent}")
    assert cropped.width * cropped.height == pytest.approx(120 * 80 * percent / 100, rel=0.03)
    assert cropped.width / cropped.height == pytest.approx(1.5, rel=0.03)


def test_a_crop_is_a_part_of_the_picture_and_lies_anywhere_in_it():
    lefts, tops = [], []
    for seed in range(40):
        part = pixels(copy("crop30", seed=seed))
        left = part[:, 0, 0].mean() / 255 * 119  # red tells the column, green the row
        top = part[0, :, 1].mean() / 255 * 79
        right = part[:, -1, 0].mean() / 255 * 119
        assert right - left == pytest.approx(part.shape[1] - 1, abs=4)
        lefts.append(left)
        tops.append(top)
    assert min(lefts) < 12
    assert max(lefts) > 40
    assert min(tops) < 8
    assert max(tops) > 26


@pytest.mark.parametrize(("edit", "turns"), [("rotate90", 1), ("rotate180", 2), ("rotate270", 3)])
def test_turned_copies_are_turned_counter_clockwise(edit, turns):
    assert close(copy(edit), np.rot90(ORIGINAL, turns))


def test_a_flipped_copy_is_mirrored_left_to_right():
    assert close(copy("flip"), ORIGINAL[:, ::-1])


@pytest.mark.parametrize("seed", range(6))
def test_a_tilted_copy_has_its_size_and_black_corners_and_its_middle(seed):
    tilted = pixels(copy("tilt", encoded(Image.new("RGB", (120, 80), "white")), seed))
    assert tilted.shape == (80, 120, 3)
    # White is lost in four triangles whose area is that of a turn between 3 and 8 degrees.
    black = (tilted[:, :, 0] < 128).mean()
    assert 0.02 < black < 0.12
    assert tilted[40, 60].min() > 250


@pytest.mark.parametrize(("edit", "factor"), [("brighter", 1.4), ("darker", 0.6)])
def test_brightness_is_multiplied(edit, factor):
    assert close(copy(edit), np.minimum(255, ORIGINAL * factor))


def test_contrast_is_stretched_around_the_mean_grey():
    # The mean of 0.299 R + 0.587 G + 0.114 B, with means of 127.5, 127.5 and 128.
    assert close(copy("contrast"), np.clip(127.5 + 1.5 * (ORIGINAL - 127.5), 0, 255))


def test_a_warm_copy_has_more_red_and_less_blue():
    assert close(copy("warm"), np.minimum(255, ORIGINAL * [1.15, 1, 0.85]))


def test_a_grey_copy_has_its_luminance_in_every_channel():
    luminance = ORIGINAL @ [0.299, 0.587, 0.114]
    assert close(copy("greyscale"), np.repeat(luminance[:, :, None], 3, axis=2))


def test_a_blurred_copy_spreads_an_edge_over_a_hundredth_of_the_side():
    edge = Image.fromarray(
        np.repeat(np.repeat([[0] * 200 + [255] * 200], 300, 0)[..., None], 3, 2).astype(np.uint8)
    )
    row = pixels(copy("blur", encoded(edge)))[150, :, 0]
    # A step after a Gaussian of standard deviation s: 16 % at -s and 84 % at +s, here s = 4.
    assert row[196] == pytest.approx(0.16 * 255, abs=15)
    assert row[203] == pytest.approx(0.84 * 255, abs=15)
    assert row[180] < 5
    assert row[220] > 250


def test_a_noisy_copy_has_noise_of_a_known_strength():
    grey = encoded(Image.new("RGB", (400, 400), (128, 128, 128)))
    difference = pixels(copy("noise", grey)).mean(axis=2) - 128
    # Three independent channels of deviation 20 have a mean of 20 / sqrt(3) = 11.5 in luminance.
    assert difference.mean() == pytest.approx(0, abs=1)
    assert 8 < difference.std() < 14


def test_a_watermark_lightens_some_of_the_picture_and_leaves_the_rest():
    black = encoded(Image.new("RGB", (400, 300)))
    marked = pixels(copy("watermark", black))[:, :, 0]
    assert 0.02 < (marked > 64).mean() < 0.3
    assert 110 < marked.max() < 170
    for third in np.array_split(marked, 3):
        assert third.max() > 100


def test_a_border_is_a_tenth_of_the_longer_side_black_or_white():
    seen = set()
    for seed in range(12):
        bordered = pixels(copy("border", seed=seed))
        assert bordered.shape == (80 + 24, 120 + 24, 3)
        assert np.abs(bordered[12:-12, 12:-12] - ORIGINAL).mean() < 6
        frame = np.concatenate([bordered[:10].ravel(), bordered[-10:].ravel()])
        assert frame.std() < 12
        seen.add(round(frame.mean() / 255))
    assert seen == {0, 1}


def test_a_screenshot_is_tall_and_holds_the_whole_picture_below_a_bar():
    screen = pixels(copy("screenshot"))
    assert screen.shape[1] == 120
    assert screen.shape[0] >= 120 * 16 // 9
    bar = 120 // 8
    assert np.abs(screen[bar : bar + 80] - ORIGINAL).mean() < 6
    assert screen[: bar - 2].mean(axis=(0, 1)) == pytest.approx((32, 60, 110), abs=12)
    below = screen[bar + 80 + 4 :]
    assert below.max() > 240
    assert below.min() < 140


def test_large_pictures_are_made_smaller_before_they_are_edited():
    large = encoded(smooth(2000, 1000), "JPEG")
    assert copy("flip", large).size == (LONGEST_SIDE, LONGEST_SIDE // 2)


def test_a_picture_that_lies_on_its_side_is_edited_upright():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    smooth().save(file, "JPEG", quality=95, exif=exif)
    assert close(copy("flip", file.getvalue()), np.rot90(ORIGINAL, -1)[:, ::-1])


def test_transparent_parts_are_laid_on_white():
    clear = encoded(Image.new("RGBA", (60, 60), (255, 0, 0, 0)))
    assert pixels(copy("rotate90", clear)).min() > 250


@pytest.mark.parametrize("content", [b"", b"no picture", SMOOTH[:100]])
def test_a_file_that_is_no_picture_is_rejected(content):
    with pytest.raises(LookalikeError):
        edited_copy(content, edit="flip", seed=0)
