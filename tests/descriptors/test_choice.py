import pytest

from bento_service.descriptors.choice import Choice, choose
from bento_service.descriptors.describing import MAX_ROWS
from bento_service.descriptors.hardware import Hardware
from bento_service.descriptors.version import DESCRIPTORS
from bento_service.settings import Settings, SettingsError

MACHINES = {
    "old": Hardware(dot_products=False, cuda=False, torch=False),
    "vnni": Hardware(dot_products=True, cuda=False, torch=False),
    "torch": Hardware(dot_products=False, cuda=False, torch=True),
    "gpu": Hardware(dot_products=True, cuda=True, torch=True),
    "old gpu": Hardware(dot_products=False, cuda=True, torch=True),
    "unused gpu": Hardware(dot_products=True, cuda=True, torch=False),
    "amx": Hardware(True, cuda=False, torch=False, matrix_units=True, openvino=True),
    "vnni, openvino": Hardware(True, cuda=False, torch=False, openvino=True),
}
ONNX_FP32, ONNX_INT8 = ("onnxruntime", "fp32", False), ("onnxruntime", "int8", False)
CPU_FP32, CPU_BF16 = ("torch", "fp32", False), ("torch", "bf16", False)
GPU_FP32, GPU_BF16 = ("torch", "fp32", True), ("torch", "bf16", True)
OPENVINO = ("openvino", "int8_openvino", False)
LACKS, NO_TORCH, NO_OPENVINO = "which the engine", "need PyTorch", "need OpenVINO"
TABLE = {  # engine and precision as they are set; on the machines above, in that order
    ("auto", "auto"): (
        ONNX_FP32,
        ONNX_INT8,
        ONNX_FP32,
        GPU_BF16,
        GPU_BF16,
        ONNX_INT8,
        OPENVINO,
        ONNX_INT8,
    ),
    ("auto", "int8"): (
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
    ),
    ("auto", "fp32"): (
        ONNX_FP32,
        ONNX_FP32,
        ONNX_FP32,
        GPU_FP32,
        GPU_FP32,
        ONNX_FP32,
        ONNX_FP32,
        ONNX_FP32,
    ),
    ("auto", "bf16"): (
        NO_TORCH,
        NO_TORCH,
        CPU_BF16,
        GPU_BF16,
        GPU_BF16,
        NO_TORCH,
        NO_TORCH,
        NO_TORCH,
    ),
    ("onnxruntime", "auto"): (
        ONNX_FP32,
        ONNX_INT8,
        ONNX_FP32,
        ONNX_INT8,
        ONNX_FP32,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
    ),
    ("onnxruntime", "int8"): (
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
        ONNX_INT8,
    ),
    ("onnxruntime", "fp32"): (
        ONNX_FP32,
        ONNX_FP32,
        ONNX_FP32,
        ONNX_FP32,
        ONNX_FP32,
        ONNX_FP32,
        ONNX_FP32,
        ONNX_FP32,
    ),
    ("onnxruntime", "bf16"): (LACKS, LACKS, LACKS, LACKS, LACKS, LACKS, LACKS, LACKS),
    ("auto", "int8_openvino"): (
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        OPENVINO,
        OPENVINO,
    ),
    ("openvino", "auto"): (
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        OPENVINO,
        OPENVINO,
    ),
    ("openvino", "int8"): (
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        NO_OPENVINO,
        LACKS,
        LACKS,
    ),
    ("torch", "auto"): (
        NO_TORCH,
        NO_TORCH,
        CPU_FP32,
        GPU_BF16,
        GPU_BF16,
        NO_TORCH,
        NO_TORCH,
        NO_TORCH,
    ),
    ("torch", "int8"): (NO_TORCH, NO_TORCH, LACKS, LACKS, LACKS, NO_TORCH, NO_TORCH, NO_TORCH),
    ("torch", "fp32"): (
        NO_TORCH,
        NO_TORCH,
        CPU_FP32,
        GPU_FP32,
        GPU_FP32,
        NO_TORCH,
        NO_TORCH,
        NO_TORCH,
    ),
    ("torch", "bf16"): (
        NO_TORCH,
        NO_TORCH,
        CPU_BF16,
        GPU_BF16,
        GPU_BF16,
        NO_TORCH,
        NO_TORCH,
        NO_TORCH,
    ),
}
CASES = [
    (engine, precision, machine, expected)
    for (engine, precision), row in TABLE.items()
    for machine, expected in zip(MACHINES, row, strict=True)
]


def chosen(machine, **settings):
    environment = {f"LOOKALIKE_{name.upper()}": value for name, value in settings.items()}
    return choose(Settings.from_environment(environment), MACHINES[machine])


@pytest.mark.parametrize(("engine", "precision", "machine", "expected"), CASES)
def test_every_setting_on_every_machine(engine, precision, machine, expected):
    if isinstance(expected, str):
        with pytest.raises(SettingsError, match=expected):
            chosen(machine, engine=engine, precision=precision)
    else:
        choice = chosen(machine, engine=engine, precision=precision)
        assert (choice.engine, choice.precision, choice.on_gpu) == expected


@pytest.mark.parametrize("descriptor", DESCRIPTORS)
def test_the_descriptor_is_the_one_that_is_set(descriptor):
    assert chosen("vnni", descriptor=descriptor).descriptor == descriptor


def test_nothing_set_means_the_default_descriptor_by_the_fastest_there_is():
    assert chosen("vnni") == Choice("vgg16-rmac4", "onnxruntime", "int8", on_gpu=False)
    assert chosen("amx") == Choice("vgg16-rmac4", "openvino", "int8_openvino", on_gpu=False)
    assert chosen("gpu") == Choice("vgg16-rmac4", "torch", "bf16", on_gpu=True)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("descriptor", "vgg16-mac, vgg16-rgem, vgg16-rmac4"),
        ("engine", "onnxruntime, openvino, torch, auto"),
        ("precision", "fp32, int8, int8_openvino, bf16, auto"),
    ],
)
@pytest.mark.parametrize("value", ["vgg19", "FP32", "autos"])
@pytest.mark.parametrize("machine", MACHINES)
def test_a_value_that_does_not_exist_is_reported_with_those_that_do(machine, name, known, value):
    with pytest.raises(SettingsError) as caught:
        chosen(machine, **{name: value})
    assert str(caught.value) == f"LOOKALIKE_{name.upper()} is {value!r}; use one of {known}"


def test_a_precision_that_an_engine_lacks_is_reported_with_those_that_it_has():
    with pytest.raises(SettingsError) as caught:
        chosen("gpu", engine="onnxruntime", precision="bf16")
    assert str(caught.value) == (
        "LOOKALIKE_PRECISION is 'bf16', which the engine onnxruntime does not have; "
        "use int8 or fp32, or another LOOKALIKE_ENGINE"
    )


def test_pytorch_that_is_not_installed_is_reported_before_anything_starts():
    with pytest.raises(SettingsError, match=r"ENGINE=torch .* not installed; run `make torch`"):
        chosen("vnni", engine="torch")


@pytest.mark.parametrize(
    ("machine", "max_batch", "ingest_run", "ingest_message"),
    [("vnni", 4, 2, 16), ("old", 4, 2, 8), ("torch", 4, 2, 8), ("gpu", 64, 32, 64)],
)
def test_fast_engines_get_larger_messages_and_a_gpu_larger_runs(
    machine, max_batch, ingest_run, ingest_message
):
    choice = chosen(machine)
    sizes = (choice.max_batch, choice.ingest_run, choice.ingest_message)
    assert sizes == (max_batch, ingest_run, ingest_message)
    assert choice.ingest_message <= MAX_ROWS
