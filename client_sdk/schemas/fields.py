"""What the wire models are made of: their base classes, and fields that refuse a wrong type."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

DEFAULT_COLLECTION = "default"
"""The collection that a call without one means."""


class Answer(BaseModel):
    """What the service answers; fields that this client does not know are left out."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore")


class Request(BaseModel):
    """What a client sends; a misspelt field is an error."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        # Otherwise it would be 1 or 0. pydantic reports this class of errors alone.
        raise ValueError("is true or false, not a number")  # noqa: TRY004
    return value


Name = Annotated[str, Field(max_length=255)]
Whole = Annotated[int, BeforeValidator(_no_truth_value)]
Real = Annotated[float, BeforeValidator(_no_truth_value)]
