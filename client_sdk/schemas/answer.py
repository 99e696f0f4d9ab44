"""The base classes of answers."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_COLLECTION = "default"
"""The collection of a call that names none."""


class Answer(BaseModel):
    """The base class of answers; unknown fields are ignored."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="ignore", serialize_by_alias=True
    )


class Identified(Answer):
    """An answer about one image, whose id is named `id` on the wire."""

    image_id: int = Field(alias="id")

    @property
    def id(self) -> int:
        """The `image_id`, by its name on the wire."""
        return self.image_id
