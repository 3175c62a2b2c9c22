"""The two analyses of one user's scores, as a notebook and the assets import them.

Pure statistics over data frames; `its_daily` and `abab_observations` read the frames from the
research database.
"""

from outreach_platform.events.abab import PHASES, AbabResult, abab, abab_observations
from outreach_platform.events.its import ItsResult, its, its_daily

__all__ = [
    "PHASES",
    "AbabResult",
    "ItsResult",
    "abab",
    "abab_observations",
    "its",
    "its_daily",
]
