"""The sample data of the embedded default: invented companies, people, events and filings.

Same seed, same bytes. One state is dirty enough to be stopped by K1; five are not. What a rule
means is not decided here (`records` does that): the sample only contains what real rows contain.
"""

from outreach_platform.embedded.sample.enrichers import STAND_IN, stand_in
from outreach_platform.embedded.sample.events import its_intervention, user_ids
from outreach_platform.embedded.sample.filings import write_filings
from outreach_platform.embedded.sample.invalid import INVALID_COMPANIES, INVALID_PEOPLE
from outreach_platform.embedded.sample.load import SampleSummary, load_sample

DIRTY_STATE = "OH"
"""The one state whose bad ratio (27 % of companies) trips K1; the others stay below 11 %."""

__all__ = [
    "DIRTY_STATE",
    "INVALID_COMPANIES",
    "INVALID_PEOPLE",
    "STAND_IN",
    "SampleSummary",
    "its_intervention",
    "load_sample",
    "stand_in",
    "user_ids",
    "write_filings",
]
