"""Every kind of problem has its section in docs/operations.md, and every limit its line."""

import re
from pathlib import Path

from outreach_platform.operations import monitoring
from outreach_platform.operations.monitoring.looks import LIVE, SLOW
from outreach_platform.settings_toml import MonitoringSettings, RetentionSettings
from outreach_platform_tests.support.postgres import ROOT

PAPER = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
# The alerts' own.
ALERTS = {"run_failed", "kill_switch", "check_failed"}


def kinds() -> set[str]:
    """The first argument of every Problem, and the kinds that workspace.py lists."""
    sources = Path(monitoring.__file__).parent.glob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    direct = re.findall(r'Problem\(\s*"([a-z_]+)"', text)
    listed = re.findall(r'\(\s*"([a-z]+_[a-z]+)",\s*funnel\.', text)
    return {*direct, *listed}


def test_each_kind_of_problem_has_a_section() -> None:
    sections = set(re.findall(r"^## ([a-z_]+)$", PAPER, re.MULTILINE))
    assert {"state_stale", "rows_hang", "look_failed"} <= kinds()
    assert sections - ALERTS == kinds() - ALERTS
    assert sections >= ALERTS


def test_each_kind_belongs_to_a_look() -> None:
    declared = {kind for look in (*LIVE, *SLOW) for kind in look.kinds}
    assert declared == (kinds() | ALERTS) - {"look_failed"}


def test_what_is_kept_for_days_is_named() -> None:
    assert {
        name for name in RetentionSettings.model_fields if f"| `{name}` |" not in PAPER
    } == set()


def test_each_threshold_is_named() -> None:
    assert {name for name in MonitoringSettings.model_fields if f"`{name}`" not in PAPER} == set()
