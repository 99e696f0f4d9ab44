"""Errors of the model build and of evaluations; each message says what to do.

The commands print the message as their last line and exit with 1.
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


class EvaluationError(Exception):
    """Pictures could not be evaluated."""
