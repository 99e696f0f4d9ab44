"""Errors of an evaluation; each message says what to do.

    EvaluationError
     ├─ ProtocolRefused     a file or folder of relevant pictures is invalid
     ├─ NothingToEvaluate   no picture, or no query that has a relevant one
     ├─ DescriptorUnknown   no descriptor has that name
     └─ ModelMissing        the model that the service names is not in the store

`python -m model_build.evaluate` prints the message as its last line and exits with 1.
"""


class EvaluationError(Exception):
    """Pictures could not be evaluated."""


class ProtocolRefused(EvaluationError):
    """A file or folder that names relevant pictures is invalid."""


class NothingToEvaluate(EvaluationError):
    """There is no picture, or no query with a relevant picture."""


class DescriptorUnknown(EvaluationError):
    """No descriptor has that name."""


class ModelMissing(EvaluationError):
    """The model that the service names is not in the store."""
