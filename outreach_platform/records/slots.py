"""The three slots of a company, and which of them a job title names.

A wrong slot sends the chief executive's letter to somebody else, and the slot then counts as
filled; no slot only holds the record until a person has looked. So a title names a slot when its
words say so, and guesses are left to people.

====  ==========================================  ==================================================
slot  named by                                    not named by
====  ==========================================  ==================================================
CEO   CEO, C.E.O., chief executive (officer);     deputy CEO; the CEO's office, coach, adviser
      co-, interim and acting ones too
CEO   owner, co-owner, proprietor                 product owner, owner's representative
CEO   managing director, partner or member,       heads of a department (Managing Director, Sales)
      executive director, standing alone
CEO   president standing alone; founder           vice president; president of sales, of a region;
                                                  President & COO (there is a CEO above);
                                                  co-founder (may hold any office)
CFO   CFO, C.F.O., chief financial officer        deputy CFO, CFO services
CFO   director, head or vice president of         finance manager (sells loans at a car dealer's)
      finance
CFO   controller, comptroller, treasurer,         document controller, controller of a division
      standing alone: in smaller firms they
      keep the books
HR    CHRO, chief people officer; HR alone        HR software
HR    director, head, vice president or manager   recruiter, talent acquisition, payroll, benefits:
      of HR or human resources, deputies too      a part of HR, or a department of its own
HR    HR officer, generalist, specialist,         HR assistant, HR analyst, HR consultant
      coordinator, business partner
HR    director, head or vice president of         people manager
      people, people operations manager
none                                              assistants, interns, candidates; former, past,
                                                  retired, emeritus, -elect, fractional; chief of
                                                  staff; general manager, principal, partner,
                                                  chairman: somewhere each ranks below the top
====  ==========================================  ==================================================

Of two slots the first one named counts; president and founder give way to a chief's office beside
them, so that President & CFO is the CFO. `Standing alone` is with neither a department nor a firm:
whether a president is of a firm or of its sales, words do not tell.
"""

import re
import unicodedata

SLOTS = ("CEO", "CFO", "HR")

_INITIALS = re.compile(r"\b([a-z])\.\s?(?=[a-z]\b)")
_ROLES_APART = re.compile(r"[&/;|+\n\r]|\band\b")
_DEPARTMENT_APART = re.compile(r"[,:()\u00b7\u2022]|\s[-\u2013\u2014]+\s")
_NO_WORD = re.compile(r"\W+")
_NOBODY = re.compile(
    r"\b(?:assistant|asst|intern|trainee|apprentice|student|candidate|aspiring|former|formerly|ex|"
    r"past|previous|previously|retired|emeritus|emerita|elect|designate|fractional|"
    r"chief of staff)\b"
)

_VICE = r"(?:[es]?vp|(?:executive |senior |first )?vice president)"
_HEAD = rf"(?:(?:senior |executive |managing )?director|head|{_VICE})"
_WIDE = r"(?:(?:senior|sr|group|global|corporate|company|interim|acting|co) )*"
_OF_A_FIRM = r"(?: (?:of|at) .+)?"
_TOP = r"(?:president|founder|owner|chairman|chair|managing director)"
_HR = r"(?:hr|human resources?|personnel)"
_HR_WORK = (
    r"(?:(?:payroll|benefits|office|operations|business|administration|administrative|compliance|"
    r"safety|training|talent|culture) )*"
)
_BELOW = r"(?:(?:regional|deputy|associate|office|payroll|benefits) )*"
_HR_RANK = (
    rf"(?:{_HEAD}|manager|lead|leader|supervisor|officer|executive|generalist|specialist|"
    r"coordinator|administrator|representative|partner)"
)
_PEOPLE = r"people(?: operations| ops)?"
_DEPARTMENT = rf"(?:finance|{_HR}|{_PEOPLE})"

# Each is matched against one whole role, in which a department stands behind `of`.
_NAMED = {
    "CEO": (
        rf"{_WIDE}(?:{_TOP} )*(?:ceo|chief executive(?: officer)?)(?: {_TOP})*{_OF_A_FIRM}",
        rf"(?:(?:co|business|sole|majority|part|founder|president) )*(?:owner|proprietor)"
        rf"(?: operator| manager| president)?{_OF_A_FIRM}",
        rf"{_WIDE}(?:managing (?:director|partner|member)|executive director)",
    ),
    "CFO": (
        rf"{_WIDE}(?:{_VICE} )?(?:cfo|chief financ(?:e|ial)(?: officer)?)"
        rf"(?: treasurer| controller)?{_OF_A_FIRM}",
        rf"{_WIDE}{_HEAD}(?: of)?(?: corporate| global| group)? finance",
        rf"{_WIDE}financ(?:e|ial) {_HEAD}",
        rf"{_WIDE}(?:(?:{_VICE}|financial|finance|secretary) )*"
        r"(?:controller|comptroller|treasurer)",
    ),
    "HR": (
        rf"{_WIDE}(?:chro|hrbp|{_HR}){_OF_A_FIRM}",
        rf"{_WIDE}chief (?:{_HR}|{_PEOPLE})(?: officer)?{_OF_A_FIRM}",
        rf"{_WIDE}{_BELOW}(?:{_HEAD}|manager)(?: of)?(?: corporate| global| group)? {_HR}"
        r"(?: operations)?",
        rf"{_WIDE}{_BELOW}{_HR} {_HR_WORK}{_HR_RANK}{_OF_A_FIRM}",
        rf"{_WIDE}{_BELOW}{_HEAD}(?: of)?(?: corporate| global| group)? {_PEOPLE}",
        rf"{_WIDE}{_BELOW}(?:{_PEOPLE} (?:{_HEAD}|officer|partner)|people operations manager)",
    ),
}
_PATTERNS = {slot: re.compile("|".join(named)) for slot, named in _NAMED.items()}
_GIVING_WAY = re.compile(rf"{_WIDE}president|founder{_OF_A_FIRM}")
_OTHER_CHIEF = re.compile(r"(?:.+ )?(?:c[a-df-z]o|chief (?!executive)\w.*)")
_LEADS_ON = re.compile(rf"({_HEAD})\b.*")
# What may follow a comma without being a department of what stands before it.
_A_ROLE = re.compile(
    rf"(?:.+ )?(?:{_TOP}|c[a-z]o|director|officer|partner|principal|manager|member|counsel|"
    r"secretary|treasurer|controller|comptroller|trustee|proprietor)(?: of .+)?"
)


def slot_of_title(title: str | None) -> str | None:
    """Which of `SLOTS` a job title names, None when it names none of them.

    Case, dots and hyphens do not matter. The rule stands at the top of this module.
    """
    text = _plain(title or "")
    if _NOBODY.search(text):
        return None
    roles = _roles(text)
    alone = not any(map(_OTHER_CHIEF.fullmatch, roles))
    for role in roles:
        if slot := _slot_of_role(role):
            return slot
        if alone and _GIVING_WAY.fullmatch(role):
            return "CEO"
    return None


def _plain(title: str) -> str:
    """The title in lower case, C.E.O. as ceo, `people & culture` as one department."""
    text = unicodedata.normalize("NFKC", title).casefold()
    text = _INITIALS.sub(r"\1", text).replace("'s", " his").replace("\u2019s", " his")
    return re.sub(r"\bpeople\s*(?:&|\+|\band\b)\s*culture\b", "people operations", text)


def _roles(text: str) -> list[str]:
    """The roles in a title, each as words with one space between; `vp, finance` is one role."""
    roles: list[str] = []
    for part in _ROLES_APART.split(text):
        pieces = [_NO_WORD.sub(" ", piece).strip() for piece in _DEPARTMENT_APART.split(part)]
        own: list[str] = []
        for piece in filter(None, pieces):
            if own and not _is_role(piece):
                own[-1] += f" of {piece}"
            else:
                own.append(piece)
        if own and roles and own[0] == "finance" and (lead := _LEADS_ON.fullmatch(roles[-1])):
            own[0] = f"{lead[1]} of finance"
        roles += own
    return roles


def _is_role(piece: str) -> bool:
    if re.fullmatch(_DEPARTMENT, piece):
        return False
    return bool(_A_ROLE.fullmatch(piece) or _slot_of_role(piece))


def _slot_of_role(role: str) -> str | None:
    return next((slot for slot in SLOTS if _PATTERNS[slot].fullmatch(role)), None)
