"""Rule sets as such: nulls, missing columns, order, and the version's stability."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import duckdb
import ibis
import pytest

from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.rules import ERRORS, WARNINGS, Rule, RuleSet, rules_version
from outreach_platform.records.rules import (
    COMPANY_RULES,
    GOOD_COMPANIES,
    PEOPLE_RULES,
    current_rules_version,
)
from outreach_platform_tests.support.rule_engines import columns_of

_NULLED = Rule("unknown_is_bad", "error", ("a",), lambda t, _: t.a > 1, "a is over 1")
_HINT = Rule("hint", "warning", ("b",), lambda t, _: t.b > 1, "b is over 1")
_SET = RuleSet("thing", (_NULLED, _HINT))


def score(rules: RuleSet, select: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as engine:
        engine.execute(f"CREATE TABLE things AS {select}")
        table = ibis.duckdb.from_connection(engine).table("things")
        scored = rules.score(table)
        assert scored.columns == (*table.columns, ERRORS, WARNINGS)
        statement = ibis.to_sql(scored.select(ERRORS, WARNINGS), dialect="duckdb")
        return engine.execute(str(statement)).fetchall()


def test_unknown_is_not_good_but_warns_of_nothing() -> None:
    rows = score(_SET, "SELECT * FROM (VALUES (NULL::INT, NULL::INT), (2, 2), (1, 1)) t(a, b)")
    assert rows == [(["unknown_is_bad"], []), (["unknown_is_bad"], ["hint"]), ([], [])]


def test_no_rules_of_a_kind_give_empty_lists_not_nulls() -> None:
    assert score(RuleSet("thing", (_HINT,)), "SELECT 1 AS b") == [([], [])]
    assert score(RuleSet("thing", ()), "SELECT 1 AS b") == [([], [])]


def test_no_rows_keep_the_types() -> None:
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE things AS SELECT 1 AS a, 1 AS b LIMIT 0")
        table = ibis.duckdb.from_connection(engine).table("things")
        statement = str(ibis.to_sql(_SET.score(table), dialect="duckdb"))
        described = engine.execute(f"DESCRIBE {statement}").fetchall()
    assert [row[1] for row in described] == ["INTEGER", "INTEGER", "VARCHAR[]", "VARCHAR[]"]


def test_codes_come_in_the_order_of_the_rules() -> None:
    rules = tuple(replace(_NULLED, code=code) for code in ("c", "a", "b"))
    assert score(RuleSet("thing", rules), "SELECT 5 AS a") == [(["c", "a", "b"], [])]


def test_a_warning_without_its_column_falls_away() -> None:
    assert _SET.applicable(["a"]) == (_NULLED,)
    assert score(_SET, "SELECT 2 AS a") == [(["unknown_is_bad"], [])]


def test_an_error_without_its_column_is_refused_by_name() -> None:
    with pytest.raises(SourceError, match=r"thing rules need a, which the table lacks"):
        score(_SET, "SELECT 2 AS b")


@pytest.mark.parametrize("rules", [COMPANY_RULES, PEOPLE_RULES])
def test_every_error_column_is_required_and_every_other_is_not(rules: RuleSet) -> None:
    columns = set(columns_of(rules))
    for column in columns:
        if column in rules.required_columns:
            with pytest.raises(SourceError, match=column):
                rules.applicable(columns - {column})
        else:
            dropped = set(rules.rules) - set(rules.applicable(columns - {column}))
            assert {rule.severity for rule in dropped} == {"warning"}
            assert all(column in rule.columns for rule in dropped)


@pytest.mark.parametrize("rules", [COMPANY_RULES, PEOPLE_RULES])
def test_rules_read_only_the_columns_they_name(rules: RuleSet) -> None:
    good = ibis.table({"company_unique_id": "string"}, name=GOOD_COMPANIES)
    for rule in rules.rules:
        table = ibis.table(dict.fromkeys(rule.columns, "string"), name="t")
        assert rule.violated(table, {GOOD_COMPANIES: good}).type().is_boolean()


def _version(rules: RuleSet) -> str:
    return rules_version([(rules, ibis.table({"a": "int64", "b": "int64"}, name="t"), {})])


@pytest.mark.slow
def test_the_version_is_the_same_in_every_process() -> None:
    code = "from outreach_platform.records.rules import current_rules_version as v; print(v())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {current_rules_version()}
    assert len(current_rules_version()) == 12


def test_the_version_follows_what_rules_do_not_what_they_say() -> None:
    before = _version(_SET)
    assert _version(RuleSet("thing", (replace(_NULLED, says="otherwise"), _HINT))) == before
    changed = [
        replace(_NULLED, violated=lambda t, _: t.a > 2),
        replace(_NULLED, code="renamed"),
        replace(_NULLED, severity="warning"),
    ]
    versions = {_version(RuleSet("thing", (rule, _HINT))) for rule in changed}
    versions |= {_version(RuleSet("other", (_NULLED, _HINT))), _version(RuleSet("thing", (_HINT,)))}
    versions |= {_version(RuleSet("thing", (_HINT, _NULLED))), before}
    assert len(versions) == 7
