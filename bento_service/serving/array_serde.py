"""BentoML's serialisation of requests and answers, replaced by typed arrays.

BentoML chooses how it reads a body by the content type that the sender names, and one of its
choices unpickles the body, which runs whatever the sender likes. Here a request is the array that
`EmbedderEntrance` has read from it, whatever its content type, and nothing where there is none.
"""

from typing import Any

from _bentoml_impl import serde
from bentoml.exceptions import BadInput
from starlette.requests import Request

from bento_service.serving.array_messages import ARRAY_KEY, MEDIA_TYPE, array_body, array_headers


class ArraySerde(serde.Serde):
    """Gives methods the arrays that were read, and writes the arrays that they return."""

    media_type = MEDIA_TYPE

    async def parse_request(self, request: Request, cls: Any) -> Any:
        """Return the arguments of a method that takes one array.

        Raises:
            BadInput: None was read.
        """
        if ARRAY_KEY not in request.scope:
            raise BadInput(f"no bodies are read here but {MEDIA_TYPE}")
        (argument,) = cls.model_fields
        return cls.model_validate({argument: request.scope[ARRAY_KEY]})

    def serialize_model(self, model: Any) -> serde.Payload:
        """Return the answer of a method that gives one array."""
        return serde.Payload((array_body(model.root),), array_headers(model.root))

    def deserialize_model(self, payload: serde.Payload, cls: Any) -> Any:
        """Refuse: answers are read by `RemoteEmbedder`."""
        raise NotImplementedError

    def serialize(self, obj: Any, schema: dict[str, Any]) -> serde.Payload:
        """Refuse: values without a model are not sent."""
        raise NotImplementedError

    def deserialize(self, payload: serde.Payload, schema: dict[str, Any]) -> Any:
        """Refuse: values without a model are not read."""
        raise NotImplementedError


def exchange_only_arrays() -> None:
    """Have BentoML read and write nothing but arrays in this process, under any content type."""
    known: Any = serde.ALL_SERDE
    for media_type in (*known, MEDIA_TYPE):
        known[media_type] = ArraySerde
