"""Phone numbers as the master tables hold them: E.164, `+13045550100`.

A number counts when it is possible, not only when its range is in use today: ranges open faster
than a pinned library learns of them.
"""

import re

# What the library calls possible is a matter of length alone, and in some countries of more digits
# than E.164 has. North American area codes and exchanges begin with 2 to 9, which those of
# 000-000-0000 do not.
_E164 = re.compile(r"\+(?:1[2-9]\d\d[2-9]\d{6}|[2-9]\d{1,14})", re.ASCII)


def e164(text: str | None, region: str = "US") -> str | None:
    """The number in E.164 form without its extension, None when the text is no possible number.

    Local numbers without an area code are none, and neither are two numbers in one field: which
    of them is meant, only a person can tell. What it gives for one of its own results is the same.

    Args:
        text: the number as someone typed it.
        region: two-letter code of the country that numbers without a country code belong to.
    """
    written = _possible(text or "", region)
    if written is None or not _E164.fullmatch(written):
        return None
    # Doubled leading zeros lose one of them whenever the number is read.
    return written if _possible(written, region) == written else None


def _possible(text: str, region: str) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
