"""A small B2 over HTTP, for the real SDK: checksums, capabilities, versions and faults included.

It keeps one bucket in memory and answers as Backblaze documents its native API (version 4 of the
authorization answer). What it does not do: caps, lifecycle rules, encryption, file lock, copies.
"""

import contextlib
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from outreach_platform_tests.support.b2_server_http import B2HttpServer

CAPABILITIES = ("listBuckets", "listFiles", "readFiles", "writeFiles", "deleteFiles")
READ_ONLY = ("listBuckets", "listFiles", "readFiles")


@dataclass
class Key:
    """An application key."""

    secret: str
    capabilities: tuple[str, ...] = CAPABILITIES
    bucket_only: bool = False
    prefix: str | None = None


@dataclass
class StoredFile:
    """One version of a file; `action` is upload, start (unfinished) or hide."""

    file_id: str
    name: str
    data: bytes = b""
    content_type: str = "application/octet-stream"
    sha1: str | None = None
    info: dict[str, str] = field(default_factory=dict)
    timestamp: int = 0
    action: str = "upload"
    parts: dict[int, tuple[bytes, str]] = field(default_factory=dict)


@dataclass
class Fault:
    """What the next matching calls get instead of an answer.

    `status` is an HTTP status (401 says `expired_auth_token`) or one of: `drop`, the connection is
    closed unanswered; `drop_after`, the work is done and the answer lost; `corrupt`, a byte of the
    upload is flipped on its way; `truncate`, half of a download arrives; `hang`, no answer comes
    until the server stops.
    """

    count: int
    status: int | str
    call: str | None = None
    retry_after: int | None = None


class B2Server:
    """The state behind the HTTP handler; every access holds `lock`.

    Attributes:
        calls: the names of the calls that arrived, in order; uploads are `b2_upload_file` and
            `b2_upload_part`, downloads and heads by name `download` and `head`.
    """

    def __init__(self, bucket: str, part_size: int) -> None:
        self.bucket = bucket
        self.bucket_id = secrets.token_hex(12)
        self.account_id = secrets.token_hex(6)
        self.part_size = part_size
        self.lock = threading.RLock()
        self.keys: dict[str, Key] = {}
        self.tokens: dict[str, Key] = {}
        self.versions: list[StoredFile] = []  # oldest first
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.clock_skew_seconds = 0
        self.stopping = threading.Event()
        self.realm = ""
        self.key_id, self.application_key = self.add_key()

    def add_key(
        self,
        capabilities: tuple[str, ...] = CAPABILITIES,
        *,
        bucket_only: bool = False,
        prefix: str | None = None,
    ) -> tuple[str, str]:
        """Make an application key; returns key id and secret."""
        key_id, secret = secrets.token_hex(12), f"K004{secrets.token_urlsafe(20)}"
        with self.lock:
            self.keys[key_id] = Key(secret, capabilities, bucket_only, prefix)
        return key_id, secret

    def read_only_key(self) -> tuple[str, str]:
        """An application key without writeFiles."""
        return self.add_key(READ_ONLY)

    def fail_next(
        self,
        n: int = 1,
        status: int | str = 503,
        *,
        call: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Let the next n calls fail, or the next n of one name (see `calls`); see `Fault`."""
        with self.lock:
            self.faults.append(Fault(n, status, call, retry_after))

    def take_fault(self, call: str) -> Fault | None:
        """Use up one failure that is meant for this call."""
        with self.lock:
            for fault in self.faults:
                if fault.count > 0 and fault.call in (None, call):
                    fault.count -= 1
                    return fault
        return None

    def expire_tokens(self) -> None:
        """Make every token handed out so far invalid, as B2 does after a day."""
        with self.lock:
            self.tokens.clear()

    def visible(self) -> dict[str, StoredFile]:
        """The newest version of each file that is not hidden, in name order."""
        with self.lock:
            newest = {v.name: v for v in self.versions if v.action in ("upload", "hide")}
            names = sorted(newest, key=str.encode)
            return {name: newest[name] for name in names if newest[name].action == "upload"}

    @property
    def stored(self) -> dict[str, StoredFile]:
        """Same as `visible()`."""
        return self.visible()

    @property
    def unfinished(self) -> list[StoredFile]:
        """Large files that were started and neither finished nor cancelled."""
        with self.lock:
            return [version for version in self.versions if version.action == "start"]

    def corrupt(self, key: str) -> None:
        """Flip a bit of what is stored, as a failing disk would; checksums stay as recorded."""
        with self.lock:
            file = self.visible()[key]
            file.data = bytes([file.data[0] ^ 1]) + file.data[1:]

    def hide(self, key: str) -> None:
        """Hide a file, as a deletion in the console does."""
        with self.lock:
            self.add(StoredFile(self.new_id(), key, action="hide"))

    def add(self, version: StoredFile) -> StoredFile:
        """Append a version with the next timestamp."""
        with self.lock:
            version.timestamp = 1_700_000_000_000 + len(self.versions)
            self.versions.append(version)
        return version

    def new_id(self) -> str:
        """A file id in B2's form."""
        return f"4_z{self.bucket_id}_f1{secrets.token_hex(8)}_d20240101_m000000_c001_v0001_t0000"

    def environment(self) -> dict[str, str]:
        """The settings' environment variables for this server."""
        return {
            "B2_KEY_ID": self.key_id,
            "B2_APPLICATION_KEY": self.application_key,
            "B2_BUCKET": self.bucket,
            "B2_REALM": self.realm,
        }


@contextlib.contextmanager
def b2_server(
    bucket: str = "svg-enrichment", *, part_size: int = 100_000_000
) -> Iterator[B2Server]:
    """Serve on a free port of 127.0.0.1 until the block ends.

    Args:
        bucket: the one bucket's name.
        part_size: bytes; larger uploads go as large files, in parts.
    """
    state = B2Server(bucket, part_size)
    httpd = B2HttpServer(state)
    state.realm = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.stopping.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()
