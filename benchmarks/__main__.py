"""`make bench`: prints ours, the floor and the alternatives side by side.

`make bench ARGS="--companies 50000 --people 100000 --rounds 1 --only snapshots"` is a quick look.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import enrichment, events, events_memory, filings, memory, snapshots, steps
from outreach_platform.embedded.server import ensure_running


def main() -> None:
    """Run the benchmarks on a server and in a folder of their own."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--companies", type=int, default=500_000)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--memory-people", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--memory-events", type=int, default=10_000_000)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--filings", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only",
        choices=[
            *("snapshots", "steps", "memory", "events", "events-memory", "enrichment"),
            *("filings", "filings-quality"),
        ],
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as name:
        folder = Path(name)
        server = ensure_running(folder / "embedded", durable=False)
        try:
            if chosen.only in (None, "steps"):
                steps.run(server, folder, rounds=chosen.rounds)
            if chosen.only in (None, "snapshots"):
                snapshots.run(
                    server,
                    folder,
                    companies=chosen.companies,
                    people=chosen.people,
                    rounds=chosen.rounds,
                )
            if chosen.only in (None, "memory"):
                memory.run(server, folder, people=chosen.memory_people)
            if chosen.only in (None, "events"):
                events.run(server, folder, events=chosen.events, rounds=chosen.rounds)
            if chosen.only in (None, "events-memory"):
                events_memory.run(server, folder, events=chosen.memory_events)
            if chosen.only in (None, "enrichment"):
                enrichment.run(folder, records=chosen.records, rounds=chosen.rounds)
            if chosen.only in (None, "filings"):
                filings.run(folder, rounds=chosen.rounds, merged_filings=chosen.filings)
            if chosen.only in (None, "filings-quality"):
                filings.quality()
        finally:
            server.release()


if __name__ == "__main__":
    main()
