"""Errors of the model build; each message says what to do.

    ModelBuildError
     ├─ WeightsUnavailable   the weights could not be fetched or opened
     ├─ WeightsRefused       the file does not hold the published weights
     ├─ PhotographsMissing   the photographs for checking a model are not installed
     ├─ CalibrationFailed    too few photographs to measure activations on
     ├─ ConversionWrong      the converted network disagrees with PyTorch
     └─ PublishingFailed     the model could not be saved in the store

`python -m model_build` prints the message as its last line and exits with 1.
"""


class ModelBuildError(Exception):
    """A model could not be built."""


class WeightsUnavailable(ModelBuildError):
    """The weights could not be fetched or opened."""


class WeightsRefused(ModelBuildError):
    """The file does not hold the published weights."""


class PhotographsMissing(ModelBuildError):
    """The photographs for checking a model are not installed, or differ."""


class CalibrationFailed(ModelBuildError):
    """Too few photographs to measure activations on."""


class ConversionWrong(ModelBuildError):
    """The converted network disagrees with PyTorch."""


class PublishingFailed(ModelBuildError):
    """The model could not be saved in the store."""
