"""Barton ids, `04.04.TT.XX.NNNNN.SSS`: TT is 01 for a company, 02 for a person, 05 for a slot.

NNNNN is a number padded to five digits; six and more are real, as the range overflowed in
production. XX and SSS follow from it in newer ids only, so nothing may derive them. New ids come
from a database sequence; none is made here.
"""

COMPANY = r"^04\.04\.01\.[0-9]{2}\.[0-9]{5,}\.[0-9]{3}$"
PERSON = r"^04\.04\.02\.[0-9]{2}\.[0-9]{5,}\.[0-9]{3}$"
SLOT = r"^04\.04\.05\.[0-9]{2}\.[0-9]{5,}\.[0-9]{3}$"
