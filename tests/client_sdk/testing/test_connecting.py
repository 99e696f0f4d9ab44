import pytest

from client_sdk import ConnectError, Verdict
from client_sdk.testing.connecting import open_client


def test_local_opens_a_service_in_this_process(monkeypatch, model_folder, photographs):
    monkeypatch.setenv("LOOKALIKE_MODEL", str(model_folder))
    with open_client("local:") as client:
        found = client.compare(photographs / "coffee.jpg", photographs / "coffee.jpg")
    assert found.verdict is Verdict.DUPLICATE


def test_local_with_a_folder_keeps_the_images(monkeypatch, model_folder, photographs, tmp_path):
    monkeypatch.setenv("LOOKALIKE_MODEL", str(model_folder))
    with open_client(f"local:{tmp_path}/kept") as client:
        client.upload(photographs / "coffee.jpg").wait()
    monkeypatch.setenv("LOOKALIKE_URL", f"local:{tmp_path}/kept")
    with open_client() as client:
        assert client.count() == 1


def test_a_service_that_does_not_answer_is_an_error(free_port):
    with pytest.raises(ConnectError, match="is the service running there"):
        open_client(f"http://127.0.0.1:{free_port}")
