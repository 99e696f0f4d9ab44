"""Of what requests are made: fields that say no to what is not meant."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        # Otherwise it would be 1 or 0. pydantic reports this class of errors alone.
        raise ValueError("is true or false, not a number")  # noqa: TRY004
    return value


Name = Annotated[str, Field(max_length=255)]
Whole = Annotated[int, BeforeValidator(_no_truth_value)]
Real = Annotated[float, BeforeValidator(_no_truth_value)]


class Request(BaseModel):
    """What a client sends; a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
