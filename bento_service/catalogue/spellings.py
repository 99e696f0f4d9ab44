"""Normal forms of paths: a Mac stores `ü` as two characters, and a keyboard types one."""

from itertools import product
from unicodedata import normalize

_MOST_MIXED = 6  # components, so that a query has at most 64 spellings


def spellings(path: str) -> list[str]:
    """Return the spellings of a path on disks: each component composed or decomposed, or as given.

    The given one is the first.
    """
    components = path.split("/")
    forms = [
        list(dict.fromkeys((each, normalize("NFC", each), normalize("NFD", each))))
        for each in components
    ]
    if sum(len(form) > 1 for form in forms) > _MOST_MIXED:
        mixtures = [path, normalize("NFC", path), normalize("NFD", path)]
    else:
        mixtures = ["/".join(chosen) for chosen in product(*forms)]
    return list(dict.fromkeys(mixtures))
