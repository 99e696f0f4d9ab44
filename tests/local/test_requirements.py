"""Requirements of `Client.local`: a model, installed packages and valid arguments."""

import numpy as np
import pytest

from bento_service.descriptors.golden import GOLDEN_FILE, GoldenVectors, save_golden
from bento_service.descriptors.version import read_versions
from client_sdk import Client, LocalUnavailable, UsageError
from model_build.store import MODEL_FILES
from tests.local.programs import run


def test_without_a_model_it_says_what_to_run(tmp_path):
    folder = tmp_path / "my models"
    with pytest.raises(LocalUnavailable, match=f"python -m model_build --export '{folder}'`"):
        Client.local(model=folder)


def test_a_model_that_describes_otherwise_here_is_reported_and_not_waited_for(
    model_folder, tmp_path, photographs
):
    for name in MODEL_FILES:
        if name != GOLDEN_FILE:
            (tmp_path / name).symlink_to(model_folder / name)
    (tmp_path / "model_tag.txt").write_text("vgg16:0\n")
    golden = [
        GoldenVectors.load(model_folder / GOLDEN_FILE, one)
        for one in read_versions(model_folder)
        if one.precision != "bf16"
    ]
    turned = [
        GoldenVectors(one.version, one.pictures, np.roll(one.descriptors, 1, axis=0))
        for one in golden
    ]
    save_golden(turned, tmp_path / GOLDEN_FILE)
    with Client.local(model=tmp_path) as client:
        job = client.upload(photographs / "coins.jpg")
        with pytest.raises(LocalUnavailable, match="does not reproduce the golden vectors"):
            job.wait()


def test_without_the_extra_it_says_what_to_install():
    script = """if True:
        import sys
        sys.modules["fastapi"] = None
        from client_sdk import Client
        Client.local()
    """
    assert "needs the extra `local`, but fastapi is not installed" in run(script).stderr


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"precision": "int4"}, UsageError, "give 'int8' or 'int8_openvino' or 'fp32'"),
        ({"threads": 0}, LocalUnavailable, "threads is 0"),
        ({"roots": ["/there/is/none"]}, LocalUnavailable, "/there/is/none is no folder"),
        ({"timeout": 0}, UsageError, "timeout=0"),
    ],
)
def test_arguments_that_are_of_no_use_are_refused(options, error, message, model_folder):
    with pytest.raises(error, match=message):
        Client.local(model=model_folder, **options)


def test_modules_that_only_a_server_needs_are_not_loaded(model_folder, photographs):
    script = """if True:
        import sys
        from client_sdk import Client
        with Client.local() as client:
            client.train(sys.argv[1]).wait()
            client.search(sys.argv[1])
        never = {"aiohttp", "bentoml", "grpc", "pymilvus", "pyarrow", "torch", "uvicorn", "yarl"}
        print(sorted(never & set(sys.modules)))
    """
    ran = run(script, photographs / "coins.jpg", LOOKALIKE_MODEL=str(model_folder))
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
