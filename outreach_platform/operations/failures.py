"""How our errors look in Dagster: one sentence, and no blind retries."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from outreach_platform.foundation.errors import OutreachError


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Turn our errors into Dagster failures that say only the sentence; nothing is retried blindly.

    What can heal by itself was retried inside already.
    """
    try:
        yield
    except OutreachError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
