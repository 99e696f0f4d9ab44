"""Why a model could not be built: one tree, each message says what to do.

    ModelBuildError
     ├─ WeightsUnavailable   the weights could not be fetched or opened
     ├─ WeightsRefused       there is a file, but it does not hold the published weights
     ├─ PhotographsMissing   the pictures that a model is checked on are not installed
     ├─ CalibrationFailed    there are too few photographs to measure activations on
     ├─ ConversionWrong      the converted network computes something else
     └─ PublishingFailed     the model store did not take the model

`python -m model_build` prints the message as its last line and ends with 1.
"""


class ModelBuildError(Exception):
    """A model could not be built."""


class WeightsUnavailable(ModelBuildError):
    """The weights could not be fetched or opened."""


class WeightsRefused(ModelBuildError):
    """There is a file, but it does not hold the published weights."""


class PhotographsMissing(ModelBuildError):
    """The pictures that a model is checked on are not installed, or are others."""


class CalibrationFailed(ModelBuildError):
    """There are too few photographs to measure activations on."""


class ConversionWrong(ModelBuildError):
    """The converted network computes something else than the published one."""


class PublishingFailed(ModelBuildError):
    """The model store did not take the model."""
