"""Ground truth files of Oxford Buildings, Paris and INRIA Holidays.

Oxford and Paris (Philbin et al., CVPR 2007 and 2008): for each query `X_query.txt` with a
picture's name and the box of the building in it, and `X_good.txt`, `X_ok.txt`, `X_junk.txt` with
one name a line. Good and ok ones are relevant; junk, where the building is hardly visible, is
taken out of the ranking, as if it were not in the gallery.

Holidays (Jegou et al., ECCV 2008): `holidays_images.dat` with one name a line. Pictures whose
numbers agree but for the last two digits show one scene; the one that ends in 00 is its query.

Everywhere a query is left out of its own ranking. The published Oxford and Paris numbers count the
query's own picture as found, which raises them.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image

from client_sdk.decoding.formats import Region
from model_build.errors import EvaluationError
from model_build.evaluation.folders import pictures_in
from model_build.evaluation.protocol import Picture, Protocol, Question

_HOLIDAYS = "holidays_images.dat"
_QUERY = "_query.txt"
_OXFORD_PREFIX = "oxc1_"  # stands before the names in Oxford's query files, and nowhere else


def ground_truth(truth: Path, folders: Sequence[Path]) -> Protocol:
    """Return the protocol of the ground truth files in a folder; all pictures are the gallery.

    Raises:
        EvaluationError: Ground truth files, or pictures that they name, are missing.
    """
    paths = list(pictures_in(folders))
    place_of = _places(paths)
    if (truth / _HOLIDAYS).is_file():
        return _holidays(truth / _HOLIDAYS, paths, place_of)
    queries = sorted(truth.glob(f"*{_QUERY}"))
    if not queries:
        raise EvaluationError(
            f"{truth} holds neither *{_QUERY} files, as of Oxford and Paris, nor {_HOLIDAYS}"
        )
    return _landmarks(queries, paths, place_of)


def _places(paths: Sequence[Path]) -> Mapping[str, int]:
    """Return the position of every picture by its name, without folder and suffix."""
    places: dict[str, int] = {}
    for place, path in enumerate(paths):
        if path.stem in places:
            raise EvaluationError(
                f"{path} and {paths[places[path.stem]]} have one name, so that the ground truth "
                "could mean either"
            )
        places[path.stem] = place
    return places


def _landmarks(
    query_files: Sequence[Path], paths: Sequence[Path], place_of: Mapping[str, int]
) -> Protocol:
    """Return the protocol: the gallery's pictures first, then one for each query's box."""
    boxed = []
    questions = []
    for unit, file in enumerate(query_files):
        place, region = _boxed_query(file, paths, place_of)
        beginning = file.name.removesuffix(_QUERY)
        listed = {
            kind: frozenset(_listed(file.with_name(f"{beginning}_{kind}.txt"), place_of))
            for kind in ("good", "ok", "junk")
        }
        relevant = (listed["good"] | listed["ok"]) - {place}
        boxed.append(Picture(paths[place], region=region))
        questions.append(
            Question(
                query=len(paths) + unit,
                relevant=relevant,
                left_out=(listed["junk"] | {place}) - relevant,
                unit=unit,
            )
        )
    return Protocol.of_questions("ground truth", paths, questions, queries=boxed)


def _boxed_query(
    file: Path, paths: Sequence[Path], place_of: Mapping[str, int]
) -> tuple[int, Region]:
    try:
        name, *corners = file.read_text().split()
        left, top, right, bottom = map(float, corners)
    except ValueError as error:
        raise EvaluationError(
            f"{file} does not hold a picture's name and the four numbers of a box"
        ) from error
    place = _place(file, name.removeprefix(_OXFORD_PREFIX), place_of)
    with Image.open(paths[place]) as image:
        width, height = image.size
    x, y = max(0, math.floor(left)), max(0, math.floor(top))
    region = (x, y, min(width, math.ceil(right)) - x, min(height, math.ceil(bottom)) - y)
    if min(region[2:]) < 1:
        raise EvaluationError(f"{file}: the box does not lie in {paths[place]}")
    return place, region


def _holidays(file: Path, paths: Sequence[Path], place_of: Mapping[str, int]) -> Protocol:
    scenes: dict[int, set[int]] = defaultdict(set)
    queries: dict[int, int] = {}
    for place in _listed(file, place_of):
        try:
            number = int(paths[place].stem)
        except ValueError as error:
            raise EvaluationError(f"{file}: {paths[place].name} is not a number") from error
        scenes[number // 100].add(place)
        if number % 100 == 0:
            queries[number // 100] = place
    questions = [Question.leave_one_out(place, scenes[scene]) for scene, place in queries.items()]
    return Protocol.of_questions("ground truth", paths, questions)


def _listed(file: Path, place_of: Mapping[str, int]) -> Iterator[int]:
    """Return the positions of the pictures that a file names, one a line, suffix optional."""
    if not file.is_file():
        raise EvaluationError(f"there is no {file}")
    for line in file.read_text().splitlines():
        if name := line.strip():
            yield _place(file, name.removesuffix(".jpg"), place_of)


def _place(file: Path, name: str, place_of: Mapping[str, int]) -> int:
    try:
        return place_of[name]
    except KeyError:
        raise EvaluationError(
            f"{file} names {name}, which is not among the pictures; give the folder of all pictures"
        ) from None
