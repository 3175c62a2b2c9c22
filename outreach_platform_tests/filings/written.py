"""Files as EDGAR, downloaders and people leave them, for tests of the register."""

from pathlib import Path

ACCESSION = "0001193125-24-000007"
_BODY = (
    "<p>Item 1. Business</p><p>We make oars.</p><p>Item 1A. Risk Factors</p><p>They may break.</p>"
)


def fact(name: str, value: str, context: str = "c-1", more: str = "") -> str:
    return f'<ix:nonNumeric contextRef="{context}" name="dei:{name}" {more}>{value}</ix:nonNumeric>'


def context(name: str, segment: str = "") -> str:
    inner = f"<xbrli:segment>{segment}</xbrli:segment>" if segment else ""
    return (
        f'<xbrli:context id="{name}"><xbrli:entity><xbrli:identifier>1</xbrli:identifier>'
        f"{inner}</xbrli:entity></xbrli:context>"
    )


def inline(*facts: str, contexts: str = "", body: str = _BODY) -> bytes:
    """An inline XBRL document with these facts."""
    return (
        "<?xml version='1.0' encoding='ASCII'?>\n<html xmlns:dei='http://xbrl.sec.gov/dei/2024'>"
        f"<body><div style='display:none'><ix:header><ix:resources>{contexts or context('c-1')}"
        f"</ix:resources></ix:header></div>{''.join(f'<p>{each}</p>' for each in facts)}"
        f"{body}</body></html>"
    ).encode()


def page(
    form: str = "FORM 10-K",
    ended: str = "For the fiscal year ended December 31, 2023",
    company: str = "Oar & Scull Works, Inc.",
    more: str = "",
) -> bytes:
    """A bare document with its cover."""
    return (
        f"<html><body><p><b>{form}</b></p><p>{ended}</p><p>{company}</p>"
        "<p>(Exact name of registrant as specified in its charter)</p>"
        f"{more}{_BODY}</body></html>"
    ).encode()


def submission(
    accession: str = ACCESSION,
    *,
    form: str = "10-K",
    cik: str = "0000912345",
    company: str = "OAR & SCULL WORKS INC",
    period: str = "20231231",
    filed: str = "20240215",
    filename: str = "oar-20231231.htm",
    document: bytes | None = None,
    accepted: str = "20240215160130",
) -> bytes:
    """A full submission."""
    named = f"<FILENAME>{filename}\n" if filename else ""
    head = (
        f"<SEC-DOCUMENT>{accession}.txt : {filed}\n<SEC-HEADER>{accession}.hdr.sgml : {filed}\n"
        f"<ACCEPTANCE-DATETIME>{accepted}\nACCESSION NUMBER:\t\t{accession}\n"
        f"CONFORMED SUBMISSION TYPE:\t{form}\nPUBLIC DOCUMENT COUNT:\t\t1\n"
        f"CONFORMED PERIOD OF REPORT:\t{period}\nFILED AS OF DATE:\t\t{filed}\n\nFILER:\n\n"
        f"\tCOMPANY DATA:\t\n\t\tCOMPANY CONFORMED NAME:\t\t\t{company}\n"
        f"\t\tCENTRAL INDEX KEY:\t\t\t{cik}\n\n\tFORMER COMPANY:\t\n"
        "\t\tFORMER CONFORMED NAME:\tPADDLE CO\n\t\tDATE OF NAME CHANGE:\t19990101\n"
        "</SEC-HEADER>\n"
        f"<DOCUMENT>\n<TYPE>{form}\n<SEQUENCE>1\n{named}<TEXT>\n"
    )
    tail = "\n</TEXT>\n</DOCUMENT>\n</SEC-DOCUMENT>\n"
    return head.encode() + (document or page(f"FORM {form}")) + tail.encode()


def put(path: Path, content: bytes | str) -> Path:
    """Write a file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
