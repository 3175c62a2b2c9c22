"""Phone numbers in E.164 form."""

import re
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outreach_platform.embedded.sample import words
from outreach_platform.records.phones import e164
from outreach_platform_tests.support.real_data import read_companies, read_people, real_data_folder

E164 = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
READ = {
    "304-555-0100": "+13045550100",
    "(304) 555-0100": "+13045550100",
    "304.555.0100": "+13045550100",
    "3045550100": "+13045550100",
    "13045550100": "+13045550100",
    "1-304-555-0100": "+13045550100",
    "+1 304 555 0100": "+13045550100",
    "+13045550100": "+13045550100",
    " \u00a0304\u2013555\u20110100\u200b\n": "+13045550100",
    "304-555-0100 x123": "+13045550100",
    "304-555-0100 ext. 12": "+13045550100",
    "304-555-0100, extension 4": "+13045550100",
    "tel:+1-304-555-0100;ext=5": "+13045550100",
    "\uff13\uff10\uff14-\uff15\uff15\uff15-\uff10\uff11\uff10\uff10": "+13045550100",
    "1-800-FLOWERS": "+18003569377",
    "+44 20 7946 0958": "+442079460958",
    "011 44 20 7946 0958": "+442079460958",
    "+39 02 1234 5678": "+390212345678",
}
NO_NUMBER = (
    *(None, "", " ", "-", "n/a", "none", "x123", "call us", "jane@example.com", "\x00", "+", "+1"),
    *("0", "911", "555-0100", "5550100", "1-555-0100", "304-555-010", "304-555-01000"),
    *("000-000-0000", "0000000000", "123-456-7890", "104-555-0100", "304-155-0100"),
    *("304-555-0100 / 304-555-0101", "304-555-0100; 304-555-0101", "304-555-0100 or 0101"),
    *("3.045550100E+09", "3045550100.0", "+999 12345678", "1" * 16, "9" * 300),
)


@pytest.mark.parametrize("text", READ)
def test_numbers_as_people_type_them(text: str) -> None:
    assert e164(text) == READ[text]


@pytest.mark.parametrize("text", NO_NUMBER)
def test_what_is_no_number(text: str | None) -> None:
    assert e164(text) is None


def test_a_phone_of_100_kb_is_none() -> None:
    assert e164("304-555-0100 " * 8_000) is None


def test_the_region_says_which_country_a_number_without_code_is_of() -> None:
    assert e164("020 7946 0958", "GB") == "+442079460958"
    assert e164("020 7946 0958") is None
    assert e164("30455", "GB") is None
    assert e164("+1 304-555-0100", "GB") == "+13045550100"
    assert e164("304-555-0100", "no region") is None


def test_fictional_numbers_of_every_sample_state_count() -> None:
    for state in words.STATES:
        for last in range(100):
            number = f"+1{state.area_code}55501{last:02d}"
            assert e164(number) == e164(number.removeprefix("+1")) == number


@pytest.mark.slow
@pytest.mark.real_data
def test_real_phones() -> None:
    if real_data_folder() is None:
        pytest.skip("no real data")
    companies = read_companies(("breweries_2026",))
    typed = [row["company_phone"] for row in companies]
    typed += [row["work_phone_e164"] for row in read_people(companies)]
    read = {text: e164(text) for text in typed if text}
    for text, number in read.items():
        digits = re.sub(r"\D", "", re.sub(r"ext.*", "", text))
        american = re.fullmatch(r"1?[2-9]\d\d[2-9]\d{6}", digits)
        assert number == (f"+1{digits[-10:]}" if american else None)
    # What is no number lacks digits, is of another country, or is a web address.
    assert sum(1 for text in typed if text and read[text]) == 11_197
    assert sum(1 for text in typed if text and not read[text]) == 20


TYPED = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="0123456789+-(). x/;,ext\u00a0\u0660\uff11", max_size=30),
    st.from_regex(r"\+?[0-9]{1,3}[ -]?[0-9]{2,12}( ?x[0-9]{1,5})?", fullmatch=True),
)


# The first example loads the library, which takes longer than one example may.
@settings(deadline=None)
@given(TYPED, st.sampled_from(["US", "GB", "DE", "", "ZZ"]))
@example("0" * 15, "DE")
@example("000000", "DE")
@example("+980023805", "US")
def test_whatever_is_typed_gives_e164_or_nothing(text: str, region: str) -> None:
    number = e164(text, region)
    if number is not None:
        assert E164.fullmatch(number)
        assert e164(number, region) == number


@settings(deadline=None)
@given(st.integers(200, 999), st.integers(200, 999), st.integers(0, 9999), st.data())
def test_any_punctuation_gives_the_same_number(
    area: int, exchange: int, line: int, data: st.DataObject
) -> None:
    between = st.sampled_from(["", " ", "-", ".", " - ", "\u00a0"])
    first, second, third = data.draw(st.tuples(between, between, between))
    lead = data.draw(st.sampled_from(["", "1", "+1"]))
    typed = f"{lead}{first if lead else ''}{area}{second}{exchange}{third}{line:04d}"
    assert e164(typed) == f"+1{area}{exchange}{line:04d}"


def test_importing_the_module_does_not_load_the_library() -> None:
    code = "import sys, outreach_platform.records.phones; print('phonenumbers' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
