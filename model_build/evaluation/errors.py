"""Why pictures could not be evaluated: one tree, each message says what to do.

    EvaluationError
     ├─ ProtocolRefused     a file or folder that says what is relevant makes no sense
     ├─ NothingToEvaluate   no picture, or no query that has a relevant one
     ├─ DescriptorUnknown   a descriptor was asked for that nothing here computes
     └─ ModelMissing        the model that the service names is not in the store

`python -m model_build.evaluate` prints the message as its last line and ends with 1.
"""


class EvaluationError(Exception):
    """Pictures could not be evaluated."""


class ProtocolRefused(EvaluationError):
    """A file or a folder that says which pictures are relevant makes no sense."""


class NothingToEvaluate(EvaluationError):
    """There is no picture, or no query that has a relevant one."""


class DescriptorUnknown(EvaluationError):
    """A descriptor was asked for that nothing here computes."""


class ModelMissing(EvaluationError):
    """The model that the service names is not in the store."""
