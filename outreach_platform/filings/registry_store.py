"""The copies of filings in the data folder: whole or not there, and never lost by a newer one."""

import hashlib
import os
import shutil
from pathlib import Path

from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.metadata_sources import plain_name
from outreach_platform.filings.model import FilingMeta
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import replacing, sha256_of, sync_folder, writing

_GZIP = b"\x1f\x8b"
_OLD = 8


def inside(folder: FilingFolder, path: Path) -> bool:
    """Whether a file lies in the folder of raw filings already."""
    return path.resolve().is_relative_to(folder.raw.resolve())


def relative(folder: FilingFolder, path: Path) -> str:
    """A path as `local_path` has it.

    Args:
        folder: the wing's paths.
        path: inside the data folder.
    """
    return path.resolve().relative_to(folder.data_dir.resolve()).as_posix()


def copy_name(accession: str, path: Path, *, packed: bool) -> str:
    """The name of a copy: the accession number, the kind of file, and `.gz` where it is packed."""
    kind = ".txt" if plain_name(path).lower().endswith(".txt") else ".htm"
    return f"{accession}{kind}{'.gz' if packed else ''}"


def store(
    folder: FilingFolder, path: Path, sha256: str, meta: FilingMeta, stored: FilingMeta | None
) -> str:
    """Let the raw folder hold a file; what it held of that filing before is kept as `.bak`.

    Args:
        folder: the wing's paths.
        path: the file.
        sha256: of its bytes, when they were judged.
        meta: the file's entry.
        stored: the entry as it is registered.

    Returns:
        The copy's path, relative to the data folder.

    Raises:
        IntegrityError: the file changed since it was judged.
        OutreachError: the disk is full, or the folder refuses.
    """
    before = folder.data_dir / stored.local_path if stored and stored.local_path else None
    same = stored is not None and stored.content_hash == meta.content_hash
    if same and before is not None and before.is_file():
        return relative(folder, before)
    if inside(folder, path):
        return relative(folder, path)
    target = folder.raw / copy_name(meta.accession_number, path, packed=_is_packed(path))
    if target.is_file() and sha256_of(target) != sha256:
        _aside(target, stored if before == target else None)
    with replacing(target) as temporary:
        shutil.copyfile(path, temporary)
        if sha256_of(temporary) != sha256:
            raise IntegrityError(f"{path} changed while it was read; run again when it is at rest")
    if before is not None and before != target and _is_ours(before, meta) and before.is_file():
        _aside(before, stored)
        before.unlink()
    return relative(folder, target)


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def _is_ours(path: Path, meta: FilingMeta) -> bool:
    """Whether a copy bears the name that we give; others were put there by somebody."""
    return plain_name(path) in (f"{meta.accession_number}.htm", f"{meta.accession_number}.txt")


def _aside(path: Path, stored: FilingMeta | None) -> Path:
    """Keep a copy's bytes under another name, before it is replaced."""
    digest = stored.content_hash if stored and stored.content_hash else _digest(path)
    kept = path.with_name(f"{path.name}.{digest[:_OLD]}.bak")
    if kept.exists():
        return kept
    with writing(kept):
        try:
            os.link(path, kept)
            sync_folder(kept.parent)
        except OSError:
            with replacing(kept) as temporary:
                shutil.copyfile(path, temporary)
    return kept


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
