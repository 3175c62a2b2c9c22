"""Barton ids as the source has them: regular, older with random parts, overflowing, malformed."""

import random

COMPANY, PERSON, SLOT = "01", "02", "05"
_FIRST_OVERFLOWING = 100_000
_OLDER_SHARE = 0.15
_OVERFLOWING_SHARE = 0.06


def regular_id(kind: str, number: int) -> str:
    """`04.04.TT.XX.NNNNN.SSS` with XX and SSS derived from the number."""
    return f"04.04.{kind}.{number % 100:02d}.{number:05d}.{number % 1000:03d}"


def mixed_id(rng: random.Random, kind: str, number: int) -> str:
    """A valid id for `number`: now and then an older one with random XX and SSS, or six digits.

    Args:
        rng: decides the form.
        kind: `01` company, `02` person, `05` slot.
        number: 1 to 99,999, unique within its kind, which makes the id unique too.
    """
    draw = rng.random()
    if draw < _OVERFLOWING_SHARE:
        return regular_id(kind, _FIRST_OVERFLOWING + number)
    if draw < _OVERFLOWING_SHARE + _OLDER_SHARE:
        return f"04.04.{kind}.{rng.randrange(100):02d}.{number:05d}.{rng.randrange(1000):03d}"
    return regular_id(kind, number)


def malformed_company_id(form: int, number: int) -> str:
    """An id that is no Barton id but names a company all the same; `form` picks the mistake."""
    forms = (
        f"04.04.1.{number % 100:02d}.{number:05d}.{number % 1000:03d}",
        f"04-04-01-{number % 100:02d}-{number:05d}-{number % 1000:03d}",
        f"LEGACY-{number:05d}",
        f"04.04.01.{number % 100:02d}.{number}",
        f"04.04.02.{number % 100:02d}.{number:05d}.{number % 1000:03d}",
    )
    return forms[form % len(forms)]
