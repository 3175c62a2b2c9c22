"""The words the sample is made of: all invented or ordinary, no locale data, nobody's real name.

Web and e-mail hosts end in names reserved for examples, phones in the fictional 555-01xx block.
"""

from dataclasses import dataclass

HOST_ENDINGS = ("example.com", "example.org", "example.net", "example", "test")

# The documented placeholder spellings; `placeholder_spellings` varies their case and padding.
PLACEHOLDERS = (
    *("n/a", "na", "n.a.", "none", "null", "nil", "unknown"),
    *("test", "-", "--", "not available", "(blank)", "tbd"),
)


@dataclass(frozen=True)
class StatePlan:
    """One state's share of the sample.

    Attributes:
        companies: how many companies at scale 1.
        bad_ratio: share of companies that break a rule, 0 to 1.
    """

    code: str
    name: str
    companies: int
    bad_ratio: float
    area_code: str
    zip_start: int
    cities: tuple[str, ...]


STATES = (
    StatePlan(
        "WV", "West Virginia", 453, 0.080, "304", 25301, ("Charleston", "Wheeling", "Elkins")
    ),
    StatePlan("PA", "Pennsylvania", 780, 0.070, "412", 15201, ("Pittsburgh", "Erie", "Lancaster")),
    StatePlan("VA", "Virginia", 560, 0.090, "804", 23219, ("Richmond", "Roanoke", "Staunton")),
    StatePlan("MD", "Maryland", 430, 0.105, "410", 21201, ("Baltimore", "Frederick", "Easton")),
    StatePlan("OH", "Ohio", 620, 0.275, "614", 43004, ("Columbus", "Dayton", "Lima", "Toledo")),
    StatePlan("DE", "Delaware", 157, 0.065, "302", 19701, ("Dover", "Newark", "Lewes")),
)

# Values that look like one of the six to a careless filter, and must never be pulled.
OTHER_STATES = (
    *(
        "TX",
        "Texas",
        "CA",
        "California",
        "NY",
        "New York",
        "KY",
        "Kentucky",
        "District of Columbia",
    ),
    *("Ohio Valley", "Virginia Beach", "Delaware County", "PAN", "Ontario"),
)

NAME_FIRST = (
    *("Alder", "Bluestone", "Cinder", "Dovetail", "Eastbrook", "Fernhill", "Granite", "Harbor"),
    *(
        "Ironleaf",
        "Juniper",
        "Kestrel",
        "Lantern",
        "Millrace",
        "Northgate",
        "Oakhollow",
        "Pinecrest",
    ),
    *(
        "Quarry",
        "Ridgeline",
        "Saltmarsh",
        "Thornfield",
        "Underhill",
        "Violet",
        "Wrenwood",
        "Yarrow",
    ),
)
NAME_SECOND = (
    *("Forge", "Dairy", "Plumbing", "Freight", "Bakery", "Optics", "Roofing", "Printing", "Metals"),
    *("Labs", "Textiles", "Orchards", "Logistics", "Dental", "Software", "Brewing", "Foods"),
    *("Machine", "Nursery", "Paper", "Quilting", "Radio", "Staffing", "Tool"),
)
NAME_END = ("LLC", "Inc.", "Co.", "& Sons", "Group", "Partners", "of {city}", "")

# Names that break careless quoting, encodings and trimming; every one of them is valid.
ODD_NAMES = (
    "O'Dell's \"Quick\" Print; Signs & More",
    "Łódź Bakery & Café",
    "Ñandú Foods, S.A.",
    "Smørebrød & Øl",
    "  Padded Name Company  ",
    "Robert'); DROP TABLE companies;--",
    "Back\\slash Tools",
    "100% Wool {Best} of $State$",
    "Ελιά Imports",
    "Берёзка Deli",
    "Tab\tand Line\nWorks",
    "Élan Vital Spa",
)

INDUSTRIES = (
    *("Manufacturing", "Food & Beverage", "Healthcare", "Construction", "Retail", "Logistics"),
    *("Professional Services", "Agriculture", "Hospitality", "Energy; Mining"),
)
KEYWORDS = (
    *(
        "regional",
        "family-owned",
        "b2b",
        'quote"d',
        "semi;colon",
        "comma, inside",
        "café",
        "{brace}",
    ),
    *("back\\slash", "NULL", "wholesale", "24/7"),
)
STREETS = ("Main St", "Mill Rd", "Orchard Ave", "Canal St", "High St", "Depot Ln", "Ridge Pike")
SENTENCES = (
    "Serves customers in the valley and two neighbouring counties.",
    "Founded by three cousins; now in its second generation.",
    'Known locally as "the shop by the bridge".',
    "Ships within two days.",
    "Family-run, with a café and a small museum of tools.",
)

FIRST_NAMES = (
    *("Adela", "Bram", "Corinne", "Dario", "Edda", "Florian", "Greta", "Hollis", "Imke", "Jory"),
    *("Kezia", "Leopold", "Mabel", "Ned", "Orla", "Percy", "Romy", "Silas", "Tilda", "Ulric"),
    *("Verena", "Wiley", "Xenia", "Yvo", "Zelda"),
)
LAST_NAMES = (
    *("Ashgrove", "Birchall", "Copperfield", "Dunmere", "Elmsworth", "Farrowby", "Glenhaven"),
    *("Hartsong", "Ivorstone", "Jessop", "Kettleby", "Larkmoor", "Mossbank", "Nettleship"),
    *("Oxbow", "Pennywell", "Quillfeather", "Rookwood", "Stillwater", "Tamworth", "Underwood"),
    *("Vexley", "Wintergreen", "Yewdale"),
)
ODD_PEOPLE = (
    ("Zoë", "Núñez-Åker"),
    ("Łukasz", "Żółkiewka"),
    ("Søren", "Øvergård"),
    ("Anne Marie", "de la Peña"),
    ("Siobhán", "O'Quill"),
    ("Νίκη", "Ελαιώνα"),
    ("Юлия", "Берёзкина"),
    (" Ned ", "Spacey-Trim "),
    ('Bertha "Bee"', "Semi;colon"),
)

TITLES = {
    "CEO": ("Chief Executive Officer", "CEO", "President & CEO", "Owner", "Managing Director"),
    "CFO": ("Chief Financial Officer", "CFO", "VP Finance", "Treasurer; Controller"),
    "HR": ("HR Director", "Head of People", "Human Resources Manager", "Chief People Officer"),
}
DEPARTMENTS = {"CEO": "Executive", "CFO": "Finance", "HR": "Human Resources"}
SENIORITIES = ("C-Level", "VP", "Director", "Manager", None)
SKILLS = (
    *("budgeting", "hiring", "lean", "négociation", 'Excel "advanced"', "SQL; reporting"),
    *("payroll", "public speaking", "{templates}", "M&A"),
)
CERTIFICATIONS = (
    "Certified Ledger Keeper",
    "People Practitioner II",
    "Safety, Level 3",
    "Lean; Blue",
)
ROLE_ACCOUNTS = ("info", "sales", "contact", "admin", "office", "support", "hr")


def placeholder_spellings() -> list[str]:
    """All placeholders, then all of them again in other cases and padded: 52 strings."""
    changes = (str.lower, str.upper, str.title, lambda text: f"  {text.swapcase()} ")
    return [change(text) for change in changes for text in PLACEHOLDERS]


def state_spellings(state: StatePlan) -> list[tuple[str | None, str | None]]:
    """Every (address_state, state_abbrev) the source writes one state with, commonest first."""
    code, name = state.code, state.name
    return [
        (code, code),
        (name, code),
        (code, None),
        (None, code),
        (name, None),
        (name.upper(), code),
        (f" {code.lower()} ", None),
        (name.lower(), ""),
        (code.lower(), code.lower()),
        ("", code),
        (name.swapcase(), None),
        ("   ", f"{code} "),
        (None, name),
        (f"  {name}", ""),
        (code.title(), None),
    ]
