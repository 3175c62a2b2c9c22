"""`outreach enrich …`: what is refused before anything is touched, and what help says."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from outreach_platform import cli
from outreach_platform_tests.support.product import Finished, Product, without_configuration

COMMANDS = ("pull", "push", "revalidate", "promote", "run", "undo", "export", "import")
STAGES = ("pull", "push", "revalidate", "promote", "run")
# Nobody answers there, and nobody is asked.
NOWHERE = "postgresql://somebody@127.0.0.1:1/records"
RUN_ID = "0" * 36


@dataclass
class Bare:
    """The command line in this process, on a folder where nothing was opened yet."""

    product: Product
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, **more: str) -> Finished:
        with pytest.MonkeyPatch.context() as patch:
            for name in set(os.environ) - set(without_configuration()):
                patch.delenv(name)
            patch.setenv("OUTREACH_DATA_DIR", str(self.product.data))
            for name, value in more.items():
                patch.setenv(name, value)
            patch.chdir(self.product.home)
            code = cli.run(arguments)
        said = self.capsys.readouterr()
        return Finished(code, said.out, said.err)


@pytest.fixture
def inside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bare:
    return Bare(Product(tmp_path), capsys)


def refused(done: Finished, said: str) -> None:
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


def arguments(command: str) -> list[str]:
    given = {"undo": [RUN_ID], "export": ["open.csv"], "import": ["open.csv"]}
    return ["enrich", command, *given.get(command, [])]


def test_help_lists_every_command(inside: Bare) -> None:
    done = inside("enrich", "--help")
    assert done.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in done.out
    assert "\\b" not in done.out
    assert "enrich" in inside("--help").out
    assert list(inside.product.home.iterdir()) == [], "help leaves nothing behind"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each(inside: Bare, command: str) -> None:
    done = inside("enrich", command, "--help")
    assert (done.code, done.err) == (0, "")
    assert "--json" in done.out
    assert "\\b" not in done.out
    assert ("--dry-run" in done.out) == (command != "export")
    assert ("--batch-size" in done.out) == (command in (*STAGES, "undo"))


@pytest.mark.parametrize(
    ("command", "size"),
    [
        *((command, "0") for command in (*STAGES, "undo")),
        *(("pull", size) for size in ("-1", "10001", "fifty", "1.5")),
    ],
)
@pytest.mark.parametrize("dry", [False, True])
def test_a_batch_size_out_of_range(inside: Bare, command: str, size: str, dry: bool) -> None:
    options = ["--batch-size", size, *(["--dry-run"] if dry else [])]
    refused(inside(*arguments(command), *options), "--batch-size")
    assert list(inside.product.home.iterdir()) == []


@pytest.mark.parametrize("command", [*STAGES, "export", "import"])
def test_an_unknown_entity(inside: Bare, command: str) -> None:
    refused(inside(*arguments(command), "--entity", "persons"), "'company', 'people'")


@pytest.mark.parametrize("command", ["undo", "export", "import"])
def test_a_missing_argument(inside: Bare, command: str) -> None:
    refused(inside("enrich", command), "Missing argument")


@pytest.mark.parametrize(
    ("command", "dry"),
    [(c, dry) for c in COMMANDS for dry in (False, True) if (c, dry) != ("export", True)],
)
@pytest.mark.parametrize("given", ["NEON_DATABASE_URL", "SUPABASE_DATABASE_URL"])
def test_one_database_alone(inside: Bare, command: str, given: str, dry: bool) -> None:
    """Never a stand-in for the other one."""
    (inside.product.home / "open.csv").write_text(
        "entity,record_id,version\ncompany,04.04.01.01.00001.001,v00\n"
    )
    options = ["--dry-run"] if dry else []
    done = inside(*arguments(command), *options, **{given: NOWHERE})
    other = ({"NEON_DATABASE_URL", "SUPABASE_DATABASE_URL"} - {given}).pop()
    refused(done, f"{given} is set and {other} is not: enrichment works between the two")
    assert not (inside.product.data / "embedded").exists()
    assert not (inside.product.data / "dagster").exists(), "no run was started"


@pytest.mark.parametrize("dry", [False, True])
def test_ids_of_a_file_that_is_none(inside: Bare, dry: bool) -> None:
    both = dict.fromkeys(("NEON_DATABASE_URL", "SUPABASE_DATABASE_URL"), NOWHERE)
    options = ["--dry-run"] if dry else []
    done = inside("enrich", "promote", "--passed-ids-file", "ids.txt", *options, **both)
    refused(done, "ids.txt is no file: name one with an id a line, or - for stdin")


@pytest.mark.parametrize("dry", [False, True])
def test_a_spreadsheet_that_is_none(inside: Bare, dry: bool) -> None:
    options = ["--dry-run"] if dry else []
    done = inside("enrich", "import", "nowhere.csv", *options)
    refused(done, "nowhere.csv")
    assert not inside.product.data.joinpath("dagster").exists()
