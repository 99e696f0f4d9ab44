"""BentoML's serialisation of requests and answers, replaced by typed arrays.

BentoML chooses a deserialiser by the content type that the sender names. One of them unpickles the
body, which executes any code of the sender. Here every content type gives the array that
`EmbedderEntrance` has read from the request, and a request without such an array is rejected.
"""

from typing import Any

from _bentoml_impl import serde
from bentoml.exceptions import BadInput
from starlette.requests import Request

from bento_service.serving.array_messages import ARRAY_KEY, MEDIA_TYPE, array_body, array_headers


class ArraySerde:
    """A serialiser that passes received arrays to methods and sends the arrays they return.

    It has only the methods of `serde.Serde` that BentoML calls in a service of arrays.
    """

    media_type = MEDIA_TYPE

    async def parse_request(self, request: Request, cls: Any) -> Any:
        """Return the array of a request as a method's argument; raise `BadInput` without one."""
        if ARRAY_KEY not in request.scope:
            raise BadInput(f"no bodies are read here but {MEDIA_TYPE}")
        (argument,) = cls.model_fields
        return cls.model_validate({argument: request.scope[ARRAY_KEY]})

    def serialize_model(self, model: Any) -> serde.Payload:
        """Return the answer of a method that returns one array."""
        return serde.Payload((array_body(model.root),), array_headers(model.root))


def exchange_only_arrays() -> None:
    """Make BentoML exchange only arrays in this process, for every content type."""
    known: Any = serde.ALL_SERDE
    for media_type in (*known, MEDIA_TYPE):
        known[media_type] = ArraySerde


def name_answers(service: Any) -> None:
    """Tell BentoML the media type of all answers of a service.

    Otherwise BentoML derives it for each answer, from a JSON schema that it makes for that.
    """
    for method in service.apis.values():
        method.output_spec.media_type = MEDIA_TYPE
