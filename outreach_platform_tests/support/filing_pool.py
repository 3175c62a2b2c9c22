"""Runs of the process pool in a process of their own, which a test may kill.

`python -m outreach_platform_tests.support.filing_pool DATA_DIR WORKERS COUNT BEHAVIOUR` extracts
COUNT filings that behave alike, and prints each report's accession number.
"""

import json
import sys
from pathlib import Path

from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.pool import extract_all
from outreach_platform_tests.support import filing_rows


def main() -> None:
    data_dir, workers, count, behaviour = sys.argv[1:]
    folder = FilingFolder(Path(data_dir))
    metas = [filing_rows.add_filing(folder, n, **json.loads(behaviour)) for n in range(int(count))]
    extract_all(
        filing_rows.planned(*metas),
        folder,
        "run",
        workers=int(workers),
        time_limit=300,
        memory_limit=1 << 30,
        on_done=lambda report: print(report.accession_number, flush=True),
        extractor=filing_rows.EXTRACTOR,
    )


if __name__ == "__main__":
    main()
