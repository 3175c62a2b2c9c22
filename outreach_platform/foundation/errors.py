"""The errors a user meets. Each is one sentence: what was wrong, where, and what to do next.

The command line maps them to exit codes; everything else that escapes is a defect of ours and ends
as exit code 1 with its traceback in the log. Messages pass through `redaction.redact`, so that no
password reaches a log, an event or a terminal.
"""

from outreach_platform.foundation.redaction import redact

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_STOPPED = 3
EXIT_INTERRUPTED = 130


class OutreachError(Exception):
    """A failure with a message for the user.

    Attributes:
        exit_code: what the command line ends with.
        retryable: whether the same call may succeed later without anyone changing anything.
    """

    exit_code = EXIT_FAILED
    retryable = False

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))


class UsageError(OutreachError):
    """Wrong usage or configuration."""

    exit_code = EXIT_USAGE


class SourceError(OutreachError):
    """A source database refused, or holds tables of another shape than needed."""


class SourceUnavailableError(SourceError):
    """A source database could not be reached; it may be back later.

    Attributes:
        retried: whether it was tried several times already, and in vain.
    """

    retryable = True
    retried = False


class StoreError(OutreachError):
    """The object store refused: missing bucket, no permission, a different object in the way."""


class StoreUnavailableError(StoreError):
    """The object store could not be reached; it may be back later."""

    retryable = True


class IntegrityError(OutreachError):
    """What stands on disk is not what was written, or rows were lost or doubled."""


class StoppedError(OutreachError):
    """Refused because the kill switches did not say an explicit yes."""

    exit_code = EXIT_STOPPED


class BusyError(OutreachError):
    """Somebody else is doing the same work right now."""

    retryable = True
