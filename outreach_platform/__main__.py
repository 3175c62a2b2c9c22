"""`python -m outreach_platform` is the command `outreach`."""

from outreach_platform.cli import main

main()
