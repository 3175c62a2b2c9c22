"""Arguments of `outreach snapshot`, checked before anything is touched."""

from collections.abc import Sequence

from outreach_platform.commands import output
from outreach_platform.commands.launch import ready_instance
from outreach_platform.commands.snapshot import exit_code, plain_states, snapshot_states
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.records.states import STATES, parse_states
from outreach_platform.resources import NeonDatabase, ObjectStorage
from outreach_platform.settings import Settings, load_settings, parse_until
from outreach_platform.snapshots.gates import OVERRIDABLE, Override
from outreach_platform.snapshots.overrides import add_override, check_override


def run_snapshot(
    *,
    states: Sequence[str],
    all_states: bool,
    switches: Sequence[str],
    reason: str | None,
    by: str | None,
    until: str | None,
    plain: bool,
    as_json: bool,
) -> int:
    """Run the states and print a row each; returns the exit code.

    Raises:
        UsageError: the arguments do not fit together.
    """
    chosen = _chosen(states, all_states)
    settings = load_settings()
    overrides = _overrides(chosen, switches, reason, by, until)
    if plain and overrides:
        raise UsageError("--plain has no kill switches, so --override does not go with it")
    url = _database(settings)
    # Asked here too, because a run that fails over it would end with 1.
    ObjectStorage().store(settings)
    for override in overrides:
        add_override(url, override)
        output.message(
            f"{override.state}: {override.switch} may pass until {override.until}, by {override.by}"
        )
    with ready_instance(settings) as instance:
        run = plain_states if plain else snapshot_states
        rows = run(instance, settings, chosen)
    output.result(rows, as_json=as_json)
    return exit_code(rows)


def _chosen(states: Sequence[str], all_states: bool) -> list[str]:
    if all_states and states:
        raise UsageError("give --state or --all-states, not both")
    if all_states:
        return list(STATES)
    if not states:
        raise UsageError(f"give --state ({', '.join(STATES)}) or --all-states")
    return parse_states(states)


def _overrides(
    states: Sequence[str],
    switches: Sequence[str],
    reason: str | None,
    by: str | None,
    until: str | None,
) -> list[Override]:
    if not switches:
        if reason or by or until:
            raise UsageError("--reason, --by and --until belong to --override")
        return []
    if not (reason and by and until):
        raise UsageError("--override needs --reason, --by and --until")
    if any(switch.upper() not in OVERRIDABLE for switch in switches):
        raise UsageError(
            "K3 cannot be overridden: null or doubled company ids must be mended at the source"
        )
    last_day = parse_until(until)
    overrides = [
        Override.model_validate(
            {"state": s, "switch": k.upper(), "until": last_day, "reason": reason, "by": by}
        )
        for s in states
        for k in dict.fromkeys(switches)
    ]
    for override in overrides:
        check_override(override)
    return overrides


def _database(settings: Settings) -> DatabaseUrl:
    """The database, held for this process where it is the embedded one."""
    return NeonDatabase().url(settings)
