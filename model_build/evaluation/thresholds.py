"""Values that a descriptor must reach, for continuous integration."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from model_build.errors import EvaluationError
from model_build.evaluation.evaluation import Row
from model_build.evaluation.measures import MEASURES

_FORM = re.compile(r"(?P<descriptor>[^:=]+)(:(?P<measure>[^:=]+))?=(?P<value>[^=]+)")


@dataclass(frozen=True)
class Threshold:
    """The least acceptable value, between 0 and 1, of one measure of one descriptor."""

    descriptor: str
    measure: str
    value: float

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Parse `NAME=VALUE` or `NAME:MEASURE=VALUE`; the default measure is mAP.

        Raises:
            ValueError: The text has another form.
        """
        form = _FORM.fullmatch(text)
        if form is None:
            raise ValueError(f"{text!r} is not of the form NAME=VALUE or NAME:MEASURE=VALUE")
        measure = form["measure"] or MEASURES[0]
        if measure not in MEASURES:
            raise ValueError(f"no measure {measure!r}; there are {', '.join(MEASURES)}")
        value = _number(form["value"])
        if not 0 <= value <= 1:
            raise ValueError(f"{form['value']!r} is not a share between 0 and 1, such as 0.40")
        return cls(descriptor=form["descriptor"], measure=measure, value=value)

    def check_against(self, names: Sequence[str]) -> None:
        """Check, before anything is described, that the threshold's descriptor is measured.

        Raises:
            EvaluationError: The descriptor is not measured.
        """
        if self.descriptor not in names:
            raise EvaluationError(
                f"--fail-under names {self.descriptor}, but what is evaluated is {', '.join(names)}"
            )

    def failure(self, rows: Sequence[Row]) -> str | None:
        """Return a message if the value is not reached, or `None`."""
        (row,) = (row for row in rows if row.descriptor == self.descriptor)
        reached = row.measures[self.measure].value
        if reached >= self.value:
            return None
        return f"{self.measure} of {self.descriptor} is {reached:.4f}, at least {self.value} is set"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
