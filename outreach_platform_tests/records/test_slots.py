"""Which slot a job title names."""

import csv
import gzip
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_platform.embedded.sample.words import TITLES
from outreach_platform.records.slots import SLOTS, slot_of_title
from outreach_platform_tests.support.real_data import real_data_folder

CEO = (
    *("CEO", "ceo", "C.E.O.", "C. E. O.", "Chief Executive Officer", "Chief Executive"),
    *("CEO & CFO", "President & CEO", "President/CEO", "President, CEO", "President - CEO"),
    *("President and Chief Executive Officer", "Founder & CEO", "Co-Founder & CEO"),
    *("Co-Founder, CEO", "CEO/Founder", "CEO and Co-Founder", "Chairman & CEO"),
    *("Chairman, President and CEO", "Interim CEO", "Acting Chief Executive Officer", "Co-CEO"),
    *("Group CEO", "CEO, North America", "CEO of Acme", "CEO at Acme, Inc.", "CEO - Acme"),
    *("CEO (Interim)", "Owner", "Co-Owner", "Owner/Operator", "Owner-Operator"),
    *("Owner & Head Brewer", "Owner, Acme Bakery", "Owner of Acme", "Business Owner", "Founder"),
    *("Founder, Acme", "Founder & Owner", "Proprietor", "Managing Director", "Managing Partner"),
    *("Managing Member", "Executive Director", "President", "President & Owner"),
    *("President, Treasurer", "Owner & CFO", "President and Founder", "PRESIDENT"),
    *("Founder/President", "Owner, CEO", "Vice Chairman & CEO", "Executive Director & CEO"),
    *("President & HR Director", "CEO | Acme", "CEO + Founder", "CEO\nAcme"),
    *("Managing Director, Board Member", "\uff23\uff25\uff2f", "Chief Executive Officer (CEO)"),
    "President & Chief Executive",
)
CFO = (
    *("CFO", "C.F.O.", "Chief Financial Officer", "Chief Finance Officer", "CFO & COO"),
    *("CFO/HR Manager", "VP Finance", "VP, Finance", "VP of Finance", "V.P. Finance"),
    *("Vice President of Finance", "Vice President, Finance", "Vice President - Finance"),
    *("Vice-President, Finance & Administration", "SVP Finance", "Senior Vice President, Finance"),
    *("Executive Vice President & CFO", "EVP/CFO", "Vice President/CFO", "Director of Finance"),
    *("Finance Director", "Director, Finance", "Director of Finance and Administration"),
    *("Director of Administration and Finance", "Head of Finance", "Controller", "Comptroller"),
    *("Corporate Controller", "Financial Controller", "Treasurer", "Treasurer; Controller"),
    *("Secretary/Treasurer", "Secretary-Treasurer", "President & CFO", "Founder & CFO"),
    *("Interim CFO", "Group Finance Director", "Chief Financial and Administrative Officer"),
    *("VP & Controller", "CFO & VP of HR", "treasurer", "CFO of Acme", "Vice President CFO"),
    "Office Manager/Controller",
)
HR = (
    *("HR", "H.R.", "Human Resources", "HR Director", "HR Manager", "Human Resources Manager"),
    *("Human Resource Manager", "Human-Resources Director", "Director of HR"),
    *("Director of Human Resources", "Director, Human Resources", "Director - HR", "VP HR"),
    *("VP of HR", "VP, Human Resources", "Vice President of Human Resources"),
    *("SVP, Chief Human Resources Officer", "CHRO", "Chief People Officer"),
    *("Chief People & Culture Officer", "Head of People", "Head of HR", "VP People"),
    *("VP of People & Culture", "VP, People and Culture", "People & Culture Manager"),
    *("Director of People Operations", "People Operations Manager", "People Officer"),
    *("HR Generalist", "HR Coordinator", "Senior HR Specialist", "Sr. HR Business Partner", "HRBP"),
    *("HR Business Partner", "HR & Payroll Manager", "HR/Payroll Manager", "HR Payroll Manager"),
    *("Human Resources & Benefits Coordinator", "Office Manager / HR", "Office Manager, HR"),
    *("HR Office Manager", "Payroll & HR Manager", "Personnel Director", "Director of Personnel"),
    *("Deputy HR Director", "Deputy Human Resources Manager", "Associate Director of HR"),
    *("Managing Director, HR", "Executive Director - Human Resources", "HR Director & CFO"),
    *("Manager, Human Resources", "Regional HR Manager", "Director of Sales & HR"),
    *("HR Manager at Acme", "Director of HR and Finance", "Deputy Head of People"),
)
NONE = (
    *("", "Assistant to the CEO", "Executive Assistant, CEO office"),
    *("Executive Assistant to the CEO", "Executive Assistant", "former CEO"),
    *("Former Chief Executive Officer", "ex-CEO", "Past President", "President Emeritus"),
    *("President-Elect", "Retired CFO", "Chronicle editor", "Archivist", "Vice President", "VP"),
    *("Senior Vice President", "Vice-President of Sales", "President of Sales"),
    *("President, North America", "President - Consumer Division", "Regional President"),
    *("Board President", "President of the Board", "President & COO"),
    *("President and Chief Operating Officer", "Co-Founder", "Co-Founder & CTO", "Founder & CTO"),
    *("Product Owner", "Process Owner", "Owner's Representative", "Homeowner"),
    *("Managing Director, Investment Banking", "Managing Director of Sales", "General Manager"),
    *("Principal", "Partner", "Chairman", "Chairman of the Board", "Deputy CEO", "Vice CEO"),
    *("CEO Coach", "CEO's Office", "CEO Office Manager", "Office of the CEO"),
    *("Chief of Staff, Office of the CEO", "Chief of Staff to the CEO", "Advisor to the CEO"),
    *("Secretary to the President", "Coach for CEOs", "Chief Operating Officer", "COO", "CTO"),
    *("Chief Technology Officer", "Chief Marketing Officer", "Finance Manager"),
    *("Financial Analyst", "Financial Advisor", "Accountant", "Bookkeeper", "Assistant Controller"),
    *("Assistant Treasurer", "Deputy CFO", "Deputy Chief Financial Officer", "Document Controller"),
    *("Air Traffic Controller", "Quality Controller", "Plant Controller"),
    *("Controller, Eastern Division", "Director of Finance Systems"),
    *("Assistant Vice President, Finance", "Advisor to the VP of Finance", "CFO Services"),
    *("Fractional CFO", "HR Assistant", "HR Intern", "Recruiter", "Talent Acquisition Manager"),
    *("Head of Talent", "Payroll Manager", "Benefits Manager", "HRIS Analyst"),
    *("HR Software Engineer", "Sales Director, HR Software", "24 HR Manager"),
    *("24-hr Operations Manager", "People Magazine Editor", "Chrome Engineer", "Mayor", "governor"),
    *("lt_governor", "chief election officer", "attorney general", "Chief Accounting Officer"),
    *("Chief Investment Officer", "Fire Chief", "Chief", "Executive", "Chief Executive Assistant"),
    *("Executive Secretary to the CFO", "Director", "Director of Operations", "Director of Sales"),
    *("Salespeople Director", "Ceo-nly", "n/a", "-", "&", ",", "Superintendent"),
    *("Director of Marketing, Finance & Insurance Products", "Student, Human Resources"),
    *("CEO in training", "Advisor to the VP of Human Resources", "People Manager"),
    *("Account Manager, HR", "HR Analyst", "HR Consultant", "HR Recruiter", "Aspiring CEO"),
    *("Chief Executive Editor", "Human Resources Software Sales Manager"),
)
NAMED = [("CEO", t) for t in CEO] + [("CFO", t) for t in CFO] + [("HR", t) for t in HR]


@pytest.mark.parametrize(("slot", "title"), NAMED)
def test_titles_that_name_a_slot(slot: str, title: str) -> None:
    assert slot_of_title(title) == slot


@pytest.mark.parametrize("title", [None, *NONE])
def test_titles_that_name_none(title: str | None) -> None:
    assert slot_of_title(title) is None


@pytest.mark.parametrize(
    ("slot", "title"), [(s, t) for s, titles in TITLES.items() for t in titles]
)
def test_titles_of_the_sample(slot: str, title: str) -> None:
    assert slot_of_title(title) == slot


@pytest.mark.parametrize(("slot", "title"), [("CEO", "CEO"), ("CFO", "CFO"), ("HR", "HR Director")])
@pytest.mark.parametrize(
    "pattern",
    [
        *("Former {}", "{} (retired)", "Assistant to the {}", "Executive Assistant, {}", "Ex-{}"),
        *("{} Intern", "{} Candidate", "Advisor to the {}", "Office of the {}", "{}-elect"),
    ],
)
def test_who_is_near_an_office_does_not_hold_it(slot: str, title: str, pattern: str) -> None:
    assert slot_of_title(title) == slot
    assert slot_of_title(pattern.format(title)) is None


def test_the_first_of_two_counts_unless_it_gives_way() -> None:
    assert slot_of_title("CEO & CFO") == slot_of_title("CEO, HR Manager") == "CEO"
    assert slot_of_title("CFO & CEO") == slot_of_title("CFO / HR Manager") == "CFO"
    assert slot_of_title("HR Director, CFO") == slot_of_title("HR & Finance Director") == "HR"
    assert slot_of_title("Owner & CFO") == "CEO"
    assert slot_of_title("President & CFO") == slot_of_title("Founder, CFO") == "CFO"
    assert slot_of_title("President & COO") is None


@pytest.mark.real_data
def test_real_titles_of_public_officials_name_hardly_a_slot() -> None:
    folder = real_data_folder()
    if folder is None:
        pytest.skip("no real data")
    with gzip.open(folder / "people/state_officials.csv.gz", "rt", encoding="utf-8") as file:
        titles = [row["title"] for row in csv.DictReader(file)]
    assert len(titles) == 3_902
    named = [(title, slot) for title in titles if (slot := slot_of_title(title))]
    assert named == [("treasurer", "CFO")]


WORDS = st.sampled_from(
    [
        *("CEO", "CFO", "HR", "President", "Vice", "Chief", "Officer", "Owner", "Founder", "Co"),
        *("Finance", "Human", "Resources", "People", "Director", "Manager", "of", "to", "the"),
        *("Executive", "Managing", "Controller", "Assistant", "&", ",", "-", "/", "and", "("),
    ]
)
TYPED = st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=10).map(" ".join))


@given(TYPED)
def test_whatever_is_typed_names_one_of_the_three_or_none(title: str) -> None:
    slot = slot_of_title(title)
    assert slot is None or slot in SLOTS
    assert slot_of_title(f"  {title}\t") == slot
    assert slot_of_title(f"Former {title}") is None


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "words", ["senior ", "co owner ", "hr payroll ", "head, ", "of ", "ceo his "]
)
def test_a_title_of_100_kb_is_read_in_no_more_than_its_length_takes(words: str) -> None:
    assert slot_of_title(words * (100_000 // len(words)) + "x") is None


@given(st.text(alphabet=string.ascii_letters + " ", max_size=30))
def test_letters_within_a_word_name_nothing(text: str) -> None:
    glued = "".join(text.split())
    for office in ("ceo", "cfo", "hr"):
        assert slot_of_title(f"x{office}{glued}") is None
        assert slot_of_title(f"{glued}{office}x") is None


@given(st.sampled_from(NAMED), st.data())
def test_case_and_padding_do_not_matter(named: tuple[str, str], data: st.DataObject) -> None:
    slot, title = named
    typed = "".join(data.draw(st.sampled_from([c.lower(), c.upper()])) for c in title)
    assert slot_of_title(f"\u00a0{typed} ") == slot
