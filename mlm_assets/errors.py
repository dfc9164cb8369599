"""Every error a user can meet, each with a sentence that says what was wrong, where, and what to do.

Does not belong here: errors of a single function that its caller handles at once; those live beside it.
"""


class MlmError(Exception):
    """An error for the user. `exit_code` is what the command line ends with."""

    exit_code = 1


class Refused(MlmError):
    """The input or the settings are not acceptable; nothing was written."""

    exit_code = 2


class BlockedByCheck(MlmError):
    """A blocking check failed; the version that it looked at was not accepted."""

    exit_code = 3


class ServiceUnavailable(MlmError):
    """A service did not give a usable answer after every retry."""


class QueryTimeout(ServiceUnavailable):
    """The SPARQL service ran into its time limit; asking for less may succeed."""


class RequestRejected(MlmError):
    """A service answered that the request itself is wrong (4xx, or an API error); retrying cannot help."""


class ReplayMiss(MlmError):
    """A replay needed an answer that the raw store does not hold."""


class LakeConflict(MlmError):
    """The accepted version of a table was moved by somebody else since it was read."""
