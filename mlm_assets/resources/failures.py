"""How asking a service can fail: the signal for "ask again", and the errors after which nobody asks again.

Does not belong here: errors that a user meets outside of a service (`mlm_assets.errors`).
"""

from typing import Final

from mlm_assets.errors import MlmError, QueryTimeout, RequestRejected, ServiceUnavailable


class CorruptFile(ServiceUnavailable):
    """A file came as the service has it, or as often as we ask, and could not be read."""


class HostDown(ServiceUnavailable):
    """A host as a whole cannot be used now: it told us to stay away, or several requests in a row were given up.

    Unlike `ServiceUnavailable` itself this says nothing about the one request; the run must stop, and not mark
    everything that is still to be asked as failed.
    """


class FileTooLarge(RequestRejected):
    """A file is larger than `max_file_bytes`; it was not taken."""


class FileMissing(RequestRejected):
    """The service says that it has no such file."""


class ShutOut(RequestRejected):
    """The service refuses us (401, 403, or 429 for a file width): likely to hold for everything asked of that host."""


class TooManyValues(RequestRejected):
    """The Action API takes fewer values in one request than it was given."""


class Retry(Exception):
    """An answer that is no answer: broken off, HTML instead of JSON, maxlag, throttled, cut connection.

    `retry_after_s` is what the service asks us to wait (None: it does not say); `gives_up_as` is the error that
    is raised when no attempt is left.
    """

    def __init__(
        self,
        reason: str,
        retry_after_s: float | None = None,
        gives_up_as: type[ServiceUnavailable] = ServiceUnavailable,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.gives_up_as = gives_up_as


REMEMBERED: Final[dict[str, type[MlmError]]] = {
    kind.__name__: kind
    for kind in (
        ServiceUnavailable,
        QueryTimeout,
        CorruptFile,
        RequestRejected,
        FileTooLarge,
        FileMissing,
        ShutOut,
        TooManyValues,
    )
}
"""Outcomes of a single request that a replay must meet again, by name; `HostDown` is none of them."""
