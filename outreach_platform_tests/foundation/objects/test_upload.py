"""Retries and verification of `upload_once`, on a local store with faults."""

import logging
from pathlib import Path

import pytest
from tenacity import RetryCallState, Retrying

from outreach_platform.foundation.errors import (
    IntegrityError,
    StoreError,
    StoreUnavailableError,
)
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.objects.upload import upload_once
from outreach_platform_tests.foundation.objects.conftest import REAL_WAIT

KEY, METADATA = "outreach/WV/x.parquet", {"state": "WV"}


class FaultyStore(LocalStore):
    """Raises the queued errors, before or after the put; None lets it pass."""

    def __init__(self, root: Path, *faults: Exception | None, after: bool = False) -> None:
        super().__init__(root, "bucket")
        self.faults, self.after, self.puts = list(faults), after, 0

    def put(self, key, path, metadata, *, sha256):
        fault = self.faults.pop(0) if self.faults else None
        if fault and not self.after:
            raise fault
        self.puts += 1
        info = super().put(key, path, metadata, sha256=sha256)
        if fault:
            raise fault
        return info


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"rows")
    return path


def away(times: int) -> list[Exception]:
    return [StoreUnavailableError(f"away {i}") for i in range(times)]


def test_an_unreachable_store_is_tried_again(tmp_path: Path, file: Path, caplog):
    store = FaultyStore(tmp_path, *away(3))
    with caplog.at_level(logging.WARNING):
        assert upload_once(store, KEY, file, METADATA, attempts=4).size == 4
    assert store.puts == 1
    assert len(caplog.records) == 3


def test_attempts_end(tmp_path: Path, file: Path):
    store = FaultyStore(tmp_path, *away(9))
    with pytest.raises(StoreUnavailableError, match="away 1"):
        upload_once(store, KEY, file, METADATA, attempts=2)
    assert (store.puts, len(store.faults), store.head(KEY)) == (0, 7, None)


def test_a_refusal_is_not_tried_again(tmp_path: Path, file: Path):
    store = FaultyStore(tmp_path, StoreError("no"), None)
    with pytest.raises(StoreError, match="no"):
        upload_once(store, KEY, file, METADATA)
    assert store.puts == 0


def test_an_upload_whose_answer_was_lost_is_not_sent_again(tmp_path: Path, file: Path):
    store = FaultyStore(tmp_path, *away(1), after=True)
    assert upload_once(store, KEY, file, METADATA).metadata == METADATA
    assert store.puts == 1


def test_pauses_grow_and_are_bounded():
    state = RetryCallState(Retrying(), None, (), {})
    pauses = []
    for state.attempt_number in (1, 2, 3, 9):
        pauses.append(REAL_WAIT(state))
    bounds = [(1, 2), (2, 3), (4, 5), (29, 31)]
    assert all(low <= pause <= high for pause, (low, high) in zip(pauses, bounds, strict=True))


class AlteringStore(LocalStore):
    """A store that keeps something else than it was given."""

    def __init__(self, root: Path, what: str) -> None:
        super().__init__(root, "bucket")
        self.what = what

    def put(self, key, path, metadata, *, sha256):
        if self.what == "metadata":
            return super().put(key, path, {"state": "OH"}, sha256=sha256)
        info = super().put(key, path, metadata, sha256=sha256)
        stored = self._folder / key
        data = stored.read_bytes()
        stored.write_bytes(data[:-1] if self.what == "size" else data[::-1])
        return info


@pytest.mark.parametrize("what", ["metadata", "size", "checksum"])
def test_what_the_store_holds_is_compared(tmp_path: Path, file: Path, what: str):
    with pytest.raises(IntegrityError, match=what):
        upload_once(AlteringStore(tmp_path, what), KEY, file, METADATA)


class LateStore(LocalStore):
    """Shows an object only at the second look."""

    hidden = 0

    def put(self, key, path, metadata, *, sha256):
        info = super().put(key, path, metadata, sha256=sha256)
        self.hidden = 1
        return info

    def head(self, key):
        if self.hidden:
            self.hidden -= 1
            return None
        return super().head(key)


def test_an_object_that_shows_up_late_is_awaited(tmp_path: Path, file: Path):
    with pytest.raises(StoreUnavailableError, match="not yet to be seen"):
        upload_once(LateStore(tmp_path, "one"), KEY, file, METADATA, attempts=1)
    assert upload_once(LateStore(tmp_path, "two"), KEY, file, METADATA).size == 4
