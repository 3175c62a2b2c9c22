"""Barton ids, `04.04.TT.XX.NNNNN.SSS`: TT is 01 for a company, 02 for a person, 05 for a slot.

NNNNN is a number padded to five digits; six and more are real, as the range overflowed in
production. XX and SSS follow from it in newer ids only, so nothing may derive them from an id that
stands. New numbers come from a database sequence, never from the ids that are there.
"""

COMPANY = r"^04\.04\.01\.[0-9]{2}\.[0-9]{5,}\.[0-9]{3}$"
PERSON = r"^04\.04\.02\.[0-9]{2}\.[0-9]{5,}\.[0-9]{3}$"
SLOT = r"^04\.04\.05\.[0-9]{2}\.[0-9]{5,}\.[0-9]{3}$"


def slot_id(number: int) -> str:
    """The id of a new slot, `04.04.05.XX.NNNNN.SSS`.

    Args:
        number: the sequence's next value, 1 or more.

    Raises:
        ValueError: the number is 0 or less, which would give an id of another form.
    """
    if number < 1:
        raise ValueError(f"a slot's number is 1 or more, and no sequence gave {number}")
    return f"04.04.05.{number % 100:02d}.{number:05d}.{number % 1000:03d}"
