"""Each export under its checksum in DVC, without git and without a network.

The repository is the folder that holds the exports, because DVC walks all of its repository and the
data folder holds a database server and millions of other files. `cd data/raw && dvc pull NAME.dvc`
brings a lost export back. The export itself stays the plain file it is.
"""

import logging
import os
import re
from pathlib import Path
from typing import Any

from outreach_platform.events.trackers import TrackingError, load, one_sentence, require_tracker
from outreach_platform.foundation.lake import Record, replacing, sha256_of
from outreach_platform.foundation.locks import locked
from outreach_platform.foundation.redaction import redact

STORE = "dvc_remote"
_REMOTE = "storage"
_WAIT_SECONDS = 300
# The store is DVC's cache as well: a third copy of every export on the same disk protects nothing.
_CONFIG = f"""\
[core]
    no_scm = True
    analytics = False
    check_update = False
    remote = {_REMOTE}
[cache]
    type = "reflink,copy"
    dir = {{store}}
['remote "{_REMOTE}"']
    url = {{store}}
"""


class DvcRecord(Record):
    """One export as DVC keeps it.

    Attributes:
        export: the file, relative to the data folder.
        metafile: DVC's note of it, relative to the data folder.
        md5: hex digest, the name that DVC keeps it under.
        sha256: hex digest.
        size: bytes.
        remote: where it was pushed to, without secrets.
    """

    export: str
    metafile: str
    md5: str
    sha256: str
    size: int
    remote: str


def track_with_dvc(data_dir: Path, export: Path, *, remote: str | Path | None = None) -> DvcRecord:
    """Add an export to DVC and push it; the same one again changes nothing.

    Args:
        data_dir: the data folder.
        export: a file in a folder below it; that folder becomes the DVC repository on first use.
        remote: a folder or a URL that DVC knows, kept for later calls. None keeps the one the
            repository has, at first `dvc_remote` in the data folder.

    Raises:
        UsageError: DVC is not installed.
        TrackingError: anything else; the export is as it was.
    """
    require_tracker("dvc")
    with one_sentence("dvc"):
        data_dir, export = data_dir.resolve(), export.resolve()
        _refuse_others(data_dir, export)
        target = None if remote is None else _address(remote)
        lock = data_dir / "locks" / "dvc.lock"
        with locked(lock, "DVC's repository", f"tracking of {export.name}", _WAIT_SECONDS):
            _make_repository(export.parent, data_dir / STORE)
            _forget_torn_notes(export.parent)
            # The progress bars and notices are for people who type dvc; ours may write JSON.
            load("dvc")
            logging.getLogger("dvc").setLevel(logging.WARNING)
            if target is not None:
                _set_remote(export.parent, target)
            return _add_and_push(data_dir, export)


def _refuse_others(data_dir: Path, export: Path) -> None:
    if not export.is_file():
        raise TrackingError(f"{export} is not there: DVC tracks exports that stand")
    if data_dir not in export.parent.parents:
        raise TrackingError(
            f"{export} is not in a folder below {data_dir}: DVC tracks the exports kept there only"
        )


def _address(remote: str | Path) -> str:
    """A URL as it is, a folder as an absolute path.

    Raises:
        TrackingError: the URL holds a password, which DVC would keep in a plain file.
    """
    text = str(remote)
    if not re.match(r"\w+://", text):
        return str(Path(text).expanduser().absolute())
    if redact(text) != text:
        raise TrackingError(
            "The DVC remote's URL holds a password, which would be kept in a plain file: leave it "
            "out, and give it to DVC as it wants credentials for this kind of remote"
        )
    return text


def _make_repository(root: Path, store: Path) -> None:
    """Write what `dvc init --no-scm` would, at once whole; one that is there is left alone.

    Relative paths, so that the data folder can move.
    """
    config = root / ".dvc" / "config"
    if config.is_file():
        return
    relative = Path(os.path.relpath(store, config.parent)).as_posix()
    with replacing(config) as temporary:
        temporary.write_text(_CONFIG.format(store=relative), encoding="utf-8")


def _forget_torn_notes(root: Path) -> None:
    """Remove notes that a killed process left empty: DVC would refuse the whole repository."""
    for note in root.glob("*.dvc"):
        if note.is_file() and note.stat().st_size == 0:
            note.unlink()


def _set_remote(root: Path, target: str) -> None:
    """Let the default remote be `target`; its other settings and the user's are kept."""
    config = load("dvc.config").Config(str(root / ".dvc"))
    name = config["core"].get("remote", _REMOTE)
    if str(config["remote"].get(name, {}).get("url", "")) == target:
        return
    with config.edit() as changed:
        changed["core"]["remote"] = name
        changed["remote"].setdefault(name, {})["url"] = target


def _open(root: Path) -> Any:
    """DVC's repository object, to be used in a `with`; its indexes stay in the repository.

    Else they would stand in a folder that all users of the machine share, which DVC makes writable
    for everybody.
    """
    site = root / ".dvc" / "tmp" / "site"
    (site / "repo").mkdir(parents=True, exist_ok=True)
    return load("dvc.repo").Repo(str(root), config={"core": {"site_cache_dir": str(site)}})


def _add_and_push(data_dir: Path, export: Path) -> DvcRecord:
    sha256 = sha256_of(export)
    with _open(export.parent) as repo:
        # Without relink the export is never replaced by DVC's own copy.
        (stage,) = repo.add(str(export), relink=False)
        metafile = Path(stage.path)
        repo.push(targets=[str(metafile)])
        (out,) = stage.outs
        remote = repo.cloud.get_remote()
        _verify(remote.odb, out.hash_info.value, sha256)
        if sha256_of(export) != sha256:
            raise TrackingError(
                f"{export} changed while DVC read it: a published export is never changed; "
                f"remove {metafile} and run the export again"
            )
        return DvcRecord(
            export=export.relative_to(data_dir).as_posix(),
            metafile=metafile.relative_to(data_dir).as_posix(),
            md5=out.hash_info.value,
            sha256=sha256,
            size=out.meta.size,
            remote=redact(remote.fs.unstrip_protocol(remote.path)),
        )


def _verify(odb: Any, md5: str, sha256: str) -> None:
    """Make sure that the remote holds the content.

    A folder is read back: DVC takes what is there under the right name for right.

    Raises:
        TrackingError: it is missing, or other content.
    """
    if not odb.exists(md5):
        raise TrackingError(
            f"DVC's remote does not hold {md5} after the push; look at the remote and run again"
        )
    if odb.fs.protocol != "local":
        return
    stored = Path(odb.oid_to_path(md5))
    if sha256_of(stored) != sha256:
        raise TrackingError(
            f"{stored} in DVC's remote is damaged; remove that file and run the export again"
        )
