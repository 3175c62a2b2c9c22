"""How the house is built: who may import whom, what a start costs, what stands in no file."""

import ast
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import outreach_platform

PACKAGE = Path(outreach_platform.__file__).parent
ROOT = PACKAGE.parent
WINGS = ("snapshots", "events", "enrichment", "filings")
GROUND = ("foundation", "records", "settings", "settings_toml")
# Dagster shells: these may import it, and from a wing's shells the house's common ones.
SHELLS = (
    *("assets", "assets_metadata", "checks", "sensors", "resources", "jobs"),
    *("definitions", "partitions", "resources_s3"),
)
# Imported by nobody but a function that needs it.
LAZY = ("resources_s3.py",)
SHELL_FOLDERS = ("operations", "commands")
HEAVY = (
    *("pandas", "pyarrow", "ibis", "matplotlib", "pandera", "boto3", "b2sdk"),
    *("scipy", "statsmodels", "dvc", "mlflow"),
)
LONGEST, REPORTED = 330, 300
# May get shorter only.
LONGER = {"embedded/server.py": 331}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> tuple[str, ...]:
    return path.relative_to(PACKAGE).with_suffix("").parts


def is_shell(path: Path) -> bool:
    parts = name_of(path)
    return parts[-1] in SHELLS or parts[0] in SHELL_FOLDERS


def imports(tree: ast.AST) -> Iterator[str]:
    """All modules that a file imports anywhere, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_the_start(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that run on import: all but function bodies and TYPE_CHECKING blocks."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        yield node
        for field in ("body", "orelse", "finalbody"):
            waiting += getattr(node, field, [])
        for handler in getattr(node, "handlers", []):
            waiting += handler.body


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def own_imports(path: Path) -> set[tuple[str, ...]]:
    prefix = f"{PACKAGE.name}."
    found = [
        name.removeprefix(prefix) for name in imports(tree_of(path)) if name.startswith(prefix)
    ]
    return {tuple(name.split(".")) for name in found}


@pytest.mark.parametrize("wing", WINGS)
def test_wings_import_the_ground_floor_and_themselves(wing: str) -> None:
    for path in (PACKAGE / wing).rglob("*.py"):
        allowed = {*GROUND, wing, "__version__"}
        if is_shell(path):
            allowed |= {"resources", "partitions", "operations"}
        strangers = {name for name in own_imports(path) if name[0] not in allowed}
        assert not strangers, f"{path.relative_to(ROOT)} imports {sorted(strangers)}"


def test_the_ground_floor_knows_no_wing() -> None:
    for path in (PACKAGE / "foundation").rglob("*.py"):
        strangers = {name for name in own_imports(path) if name[0] != "foundation"}
        assert not strangers, f"{path.relative_to(ROOT)} imports {sorted(strangers)}"
    for path in (PACKAGE / "records").rglob("*.py"):
        strangers = {name for name in own_imports(path) if name[0] not in ("foundation", "records")}
        assert not strangers, f"{path.relative_to(ROOT)} imports {sorted(strangers)}"


@pytest.mark.slow
def test_dagster_stays_in_its_shells() -> None:
    core = [path for path in modules() if not is_shell(path)]
    assert len(core) > 20
    for path in core:
        found = {name for name in imports(tree_of(path)) if name.split(".")[0] == "dagster"}
        assert not found, f"{path.relative_to(ROOT)} imports Dagster"


@pytest.mark.slow
def test_shells_use_dagsters_public_face() -> None:
    for path in modules():
        private = {
            name for name in imports(tree_of(path)) if re.search(r"^dagster\w*(\.\w+)*\._", name)
        }
        assert not private, f"{path.relative_to(ROOT)} imports {private}"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import pandas", True),
        ("from pyarrow import parquet", True),
        ("try:\n    import ibis\nexcept ImportError:\n    pass", True),
        ("class A:\n    import boto3", True),
        ("if TYPE_CHECKING:\n    import ibis", False),
        ("def f():\n    import ibis", False),
        ("import pandas_like", False),
    ],
)
def test_the_check_for_heavy_imports_finds_them(code: str, found: bool) -> None:
    assert bool(heavy_imports(ast.parse(code))) is found


def heavy_imports(tree: ast.Module) -> set[str]:
    statements = [n for n in at_the_start(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    return {
        name
        for statement in statements
        for name in imports(statement)
        if name.split(".")[0] in HEAVY
    }


def test_no_module_imports_heavy_libraries_when_it_is_imported() -> None:
    for path in modules():
        if path.name in LAZY:
            continue
        found = heavy_imports(tree_of(path))
        assert not found, f"{path.relative_to(ROOT)} imports {sorted(found)}"


_LOADED = """
import sys
import {module}
print(*[name for name in {heavy!r} if name in sys.modules])
"""


def loaded_by(module: str) -> set[str]:
    code = _LOADED.format(module=module, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


@pytest.mark.slow
def test_the_definitions_load_without_heavy_libraries() -> None:
    theirs = loaded_by("dagster, dagster_duckdb, dagster_aws.s3")
    ours = loaded_by("outreach_platform.definitions")
    assert not ours - theirs, f"{sorted(ours - theirs)} are loaded by us"
    assert not loaded_by("dagster"), "Dagster itself has begun to load them"


@pytest.mark.slow
def test_the_core_loads_without_dagster() -> None:
    names = [
        ".".join((PACKAGE.name, *name_of(path)))
        for path in modules()
        if not is_shell(path) and path.name not in ("__main__.py", "__init__.py", "cli.py")
    ]
    code = f"import sys, {', '.join(names)}; print('dagster' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "False"


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode != 0:
        pytest.skip("no git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


# Written in pieces, so that this file does not find itself.
FORBIDDEN = {
    "a registry host": "pypi"
    + r"\.org|python"
    + "hosted|/simp"
    + "le/|index-"
    + "url|artif"
    + "actory",
    "a machine path": r"(?<![\w.])/(?:work|farm|home/\w+|Users/\w+)" + r"/[\w.]",
    "an AWS key": "AKI" + r"A(?!\w*(?:TEST|EXAMPLE|UNKNOWN))[0-9A-Z]{16}",
    "a private key": "BEGIN (?:RSA |EC |OPENSSH )?PRIVATE" + " KEY",
    "a token": r"\b(?:ghp|gho|xoxb|xoxp|sk)[_-][A-Za-z0-9]{16,}",
    "a webhook": r"hooks\.slack" + r"\.com/services/T\w+/\w+",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1} {match.group()}"
            for match in pattern.finditer(text)
        ]
    assert not found, f"{what} in {found}"


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a registry host", "https://files.python" + "hosted.org/x"),
        ("a machine path", 'open("/wo' + 'rk/main/x")'),
        ("a machine path", "/ho" + "me/ann/x"),
        ("an AWS key", "AKI" + "A" + "Q" * 16),
        ("a private key", "-----BEGIN PRIVATE" + " KEY-----"),
    ],
)
def test_the_search_finds(what: str, text: str) -> None:
    assert re.search(FORBIDDEN[what], text)


def test_example_settings_hold_placeholders_only() -> None:
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        name, _, value = line.lstrip("# ").partition("=")
        if re.search(r"PASSWORD|SECRET|APPLICATION_KEY|TOKEN|_URL", name):
            secret = re.sub(r"^\w+://[^:]*:(.*)@.*$", r"\1", value)
            assert "://" in secret or re.fullmatch("[A-Z_]*", secret), line


def test_files_are_short() -> None:
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules()
    }
    longer = {name: lines for name, lines in lengths.items() if lines > REPORTED}
    if longer:
        warnings.warn(f"over {REPORTED} lines: {longer}", stacklevel=1)
    assert not {n: lines for n, lines in longer.items() if lines > LONGER.get(n, LONGEST)}
