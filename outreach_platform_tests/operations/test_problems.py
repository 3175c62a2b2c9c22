"""Problems: one key a fault, the worst on top."""

from outreach_platform.operations.problems import Problem, Severity, worst_first


def _problem(kind: str, subject: str, severity: Severity = Severity.ERROR) -> Problem:
    return Problem(kind, subject, f"{subject} is wrong", "look at it", severity)


def test_errors_come_before_warnings_then_kind_and_subject() -> None:
    found = [
        _problem("a_kind", "WV", Severity.WARNING),
        _problem("z_kind", "WV"),
        _problem("z_kind", "DE"),
    ]
    assert [p.key for p in worst_first(found)] == ["z_kind:DE", "z_kind:WV", "a_kind:WV"]


def test_a_fault_that_two_looks_find_stands_there_once() -> None:
    assert len(worst_first([_problem("k", "WV"), _problem("k", "WV"), _problem("k", "PA")])) == 2
