"""The embedder that the benchmark of batching asks."""

import pytest

from bento_service.serving.array_messages import MEDIA_TYPE


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of BentoML's own imports
def test_its_answers_make_no_json_schema(monkeypatch):
    from benchmarks import batching

    (method,) = batching._embedder(max_batch=4).apis.values()
    monkeypatch.setattr(method.output_spec, "model_json_schema", None)

    assert method.output_spec.mime_type() == MEDIA_TYPE
