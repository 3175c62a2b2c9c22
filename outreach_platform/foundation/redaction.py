"""Keeps secrets and personal data out of messages, logs and the UI."""

import logging
import re
import threading
from urllib.parse import quote

MASK = "***"
# Too short a value would blank ordinary words wherever they stand.
_SHORTEST_SECRET = 4
_URL_PASSWORD = re.compile(
    r"(?P<head>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s\"'<>]+(?=@)", re.IGNORECASE
)
# password=…, NEON_PASSWORD=…, 'password': '…' of a dictionary.
_CONNINFO_PASSWORD = re.compile(
    r"""(?P<head>\w*password["']?\s*(?:=|(?<=["']):)\s*)"""
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)""",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[^\s@<>\"',;]+@[^\s@<>\"',;]+\.[^\s@<>\"',;]+")

_secrets: set[str] = set()
_lock = threading.Lock()


def register_secret(value: str | None) -> None:
    """Remember a secret value, so that `redact` removes it wherever it turns up."""
    if value and len(value) >= _SHORTEST_SECRET:
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        with _lock:
            # As it is, in a URL, in a connection string, and as Python shows it.
            _secrets.update({value, quote(value, safe=""), quote(value), quoted, repr(value)[1:-1]})


def redact(text: str) -> str:
    """Return `text` without registered secrets, passwords in URLs, and `password=` values."""
    text = _URL_PASSWORD.sub(rf"\g<head>{MASK}", text)
    text = _CONNINFO_PASSWORD.sub(rf"\g<head>{MASK}", text)
    with _lock:
        secrets = sorted(_secrets, key=len, reverse=True)
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def mask_email(value: str | None) -> str | None:
    """`ann.lee@example.org` becomes `a***@e***.org`; text that is no e-mail becomes `***`."""
    if value is None or not value.strip():
        return value
    local, _, domain = value.strip().partition("@")
    head, _, ending = domain.rpartition(".")
    if not (local and head and ending.isalpha()):
        return MASK  # what follows the last dot of anything else may be private as well
    return f"{local[0]}{MASK}@{domain[0]}{MASK}.{ending}"


def mask_phone(value: str | None) -> str | None:
    """Keep the last two digits: `+13045551234` becomes `***34`."""
    if value is None or not value.strip():
        return value
    digits = re.sub(r"\D", "", value)
    return f"{MASK}{digits[-2:]}" if len(digits) > 2 else MASK


def mask_emails_in(text: str) -> str:
    """Mask every e-mail address inside a longer text."""
    return _EMAIL.sub(lambda match: mask_email(match.group()) or MASK, text)


class RedactingFilter(logging.Filter):
    """A logging filter that redacts messages and tracebacks before any handler sees them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; never drops it."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = f"{record.msg} {record.args}"  # a call with the wrong arguments
        record.msg = redact(message)
        record.args = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True
