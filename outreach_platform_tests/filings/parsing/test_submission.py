"""Any file as a submission: packed, wrapped, bare; and what is refused, each with its reason."""

import gzip
import hashlib

import pytest

from outreach_platform.filings.parsing.submission import (
    Submission,
    UnreadableFilingError,
    decode,
    open_submission,
)

TEXT = "\n                 FORM 10-K\n\nITEM 1.  BUSINESS\n\nThe mill grinds grain.\n"
HEADER = (
    "<SEC-DOCUMENT>0000000001-98-000004.txt : 19980310\n"
    "<SEC-HEADER>0000000001-98-000004.hdr.sgml : 19980310\n"
    "ACCESSION NUMBER:\t\t0000000001-98-000004\nPUBLIC DOCUMENT COUNT:\t\t{count}\n</SEC-HEADER>\n"
)
PEM = (
    "-----BEGIN PRIVACY-ENHANCED MESSAGE-----\nProc-Type: 2001,MIC-CLEAR\n"
    "MIC-Info: RSA-MD5,RSA,\n I8w4EHzoXXne1Wfqy4x5EO5V/o2hTMm0krMroQyo4bRz==\n\n"
)


def document(kind: str, text: str, sequence: int = 1, more: str = "") -> str:
    head = f"<TYPE>{kind}\n<SEQUENCE>{sequence}\n{more}"
    return f"<DOCUMENT>\n{head}<TEXT>\n{text}\n</TEXT>\n</DOCUMENT>\n"


def full(*documents: str) -> str:
    return HEADER.format(count=len(documents)) + "".join(documents) + "</SEC-DOCUMENT>\n"


def opened(text: str, name: str = "filing.txt") -> Submission:
    return open_submission(text.encode(), name)


def test_a_full_submission_is_parted_into_its_documents() -> None:
    found = opened(
        full(
            document("EX-3.2", "By-laws."),
            document("10-K405", TEXT, 2, "<FILENAME>d10k.txt\n<DESCRIPTION>ANNUAL REPORT\n"),
            document("EX-13.1", "To our share owners.", 3),
        )
    )
    assert [d.type for d in found.documents] == ["EX-3.2", "10-K405", "EX-13.1"]
    assert found.main is found.documents[1]
    assert (found.main.sequence, found.main.filename) == (2, "d10k.txt")
    assert found.main.description == "ANNUAL REPORT"
    assert found.main.text.strip() == TEXT.strip()
    assert "ACCESSION NUMBER:\t\t0000000001-98-000004" in found.header
    assert "DOCUMENT>\n<TYPE>" not in found.header


def test_without_a_10k_the_first_in_sequence_is_the_main_document() -> None:
    found = opened(full(document("EX-99", "x", 2), document("8-K", "We met.", 1)))
    assert found.main.type == "8-K"


def test_the_message_of_the_1990s_is_unwrapped_and_its_dashes_put_back() -> None:
    text = "- -----------\n- --Bakery sales\n- a list\n"
    found = opened(PEM + full(document("10-K", text)) + "-----END PRIVACY-ENHANCED MESSAGE-----\n")
    assert found.main.text == "-----------\n--Bakery sales\n- a list\n\n"
    assert found.header.startswith("<SEC-DOCUMENT>")


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("name", ["filing.htm", "filing.txt.gz"])
def test_gzip_is_told_by_its_bytes_however_often_it_was_packed(times: int, name: str) -> None:
    raw = full(document("10-K", TEXT)).encode()
    packed = raw
    for _ in range(times):
        packed = gzip.compress(packed)
    found = open_submission(packed, name)
    assert (found.size, found.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert found == open_submission(raw, name)


def test_gzip_in_several_members_is_one_file() -> None:
    raw = full(document("10-K", TEXT)).encode()
    assert open_submission(gzip.compress(raw[:200]) + gzip.compress(raw[200:]), "f").main.text


@pytest.mark.parametrize("text", [TEXT, f"<html><body><p>{TEXT}</p></body></html>"])
def test_a_bare_page_or_text_is_a_submission_of_one_document(text: str) -> None:
    found = opened(text, "0000000001-98-000004.htm")
    assert found.header == ""
    assert found.main.filename == "0000000001-98-000004.htm"
    assert (found.main.type, found.main.text.strip()) == ("", text.strip())


def test_a_document_alone_keeps_its_type() -> None:
    found = opened(document("10-Q", TEXT, more="<FILENAME>d10q.htm\n"))
    assert (found.header, found.main.type, found.main.filename) == ("", "10-Q", "d10q.htm")


def test_a_document_whose_page_closes_is_whole() -> None:
    page = f"<html><body><p>{TEXT}</p></body></html>\n"
    assert opened(f"<DOCUMENT>\n<TYPE>10-K\n<TEXT>\n{page}").main.text == page


def test_a_header_with_text_and_no_document_tags_is_read() -> None:
    found = opened(HEADER.format(count=1) + TEXT + "</SEC-DOCUMENT>\n")
    assert "ACCESSION NUMBER" in found.header
    assert found.main.text.strip() == TEXT.strip()


def test_pictures_copies_for_machines_and_encoded_files_are_left_out() -> None:
    encoded = "begin 644 logo.jpg\nM_]C_X  02D9)1@ ! 0$ 2 !( #_VP!#\n`\nend"
    found = opened(
        full(
            document("10-K", "<PDF>\nbegin 644 d10k.pdf\n`\nend\n</PDF>"),
            document("10-K", f"<XBRL>\n{TEXT}</XBRL>", 2),
            document("GRAPHIC", encoded, 3),
            document("EX-99.2", encoded, 4),
            document("XML", "<html>R1</html>", 5),
            document("EX-101.INS", "<XML>\n<xbrl/>\n</XML>", 6),
        )
    )
    assert [d.sequence for d in found.documents] == [2, 6]
    assert found.main.text.strip() == TEXT.strip()
    assert found.documents[1].text.strip() == "<xbrl/>"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b" \n\0\0\r\n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "binary"),
        (b"FORM 10-K\0\0\x01\x02 rest", "binary"),
        (bytes(range(1, 256)) * 40, "binary"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-12], "cut off"),
        (gzip.compress(TEXT.encode() * 99, mtime=0)[:60], "cut off"),
        (b"\x1f\x8bnot a gzip file at all", "damaged gzip"),
        (full(document("10-K", TEXT)).split("</TEXT>")[0].encode(), "never closes"),
        (b"<DOCUMENT>\n<TYPE>10-K\n<TEXT>\nThe mill gri", "never closes"),
        (HEADER.format(count=3).encode(), "0 of 3 documents"),
        (HEADER.format(count=0).encode() + b"</SEC-DOCUMENT>\n", "without a main document"),
        (full(document("10-K", " \n ")).encode(), "without a main document"),
        (full(document("GRAPHIC", "begin 644 a.gif\n`\nend")).encode(), "without a main document"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(raw: bytes, said: str) -> None:
    with pytest.raises(UnreadableFilingError, match=said) as refused:
        open_submission(raw, "0000000001-98-000004.txt")
    sentence = str(refused.value)
    assert sentence.startswith("0000000001-98-000004.txt ")
    assert sentence.endswith(".")
    assert len(sentence.splitlines()) == 1


def test_a_submission_cut_between_two_documents_is_told_by_its_count() -> None:
    whole = full(document("10-K", TEXT), document("EX-13", "To our share owners.", 2))
    cut = whole[: whole.index("<TYPE>EX-13") - len("<DOCUMENT>\n")]
    with pytest.raises(UnreadableFilingError, match="1 of 2 documents"):
        opened(cut)
    # Without the closing line alone nothing is missing.
    assert opened(whole.removesuffix("</SEC-DOCUMENT>\n")).main.type == "10-K"


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outreach_platform.filings.parsing.submission._MOST", 100_000)
    with pytest.raises(UnreadableFilingError, match="unpacks to over"):
        open_submission(gzip.compress(b"x " * 100_000), "bomb.txt")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Société “quoted” \u2013 ok".encode(), "Société “quoted” \u2013 ok"),
        ("Société “quoted” \u2013 ok".encode("cp1252"), "Société “quoted” \u2013 ok"),
        # Submissions mix documents of both encodings.
        ("\u2013 é".encode() + b" \x93quoted\x94 \xe9", "\u2013 é “quoted” é"),
        (b"\xef\xbb\xbfFORM", "FORM"),
        ("FORM é".encode("utf-16"), "FORM é"),
        (b"\x81\x8d", "\x81\x8d"),
        (b"a\r\nb\rc\r\r\nd\n", "a\nb\nc\nd\n"),
    ],
)
def test_bytes_are_read_as_what_they_are(raw: bytes, text: str) -> None:
    assert decode(raw) == text
