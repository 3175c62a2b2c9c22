"""The processes that one `up` consists of: started, watched, started again, ended."""

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from outreach_platform.foundation.errors import OutreachError, UsageError
from outreach_platform.foundation.redaction import redact
from outreach_platform.operations.processes import (
    HOME_MARK,
    MARK,
    OWNER,
    end_marked,
    process_started,
)

RESTARTS = 3
RESTART_WINDOW_SECONDS = 600.0
LOG_BYTES = 5_000_000
FOLDER_PREFIX = "outreach-up-"
_LOG_LOOK_SECONDS = 60.0
_LONGEST_FOLDER = 70

logger = logging.getLogger(__name__)


@dataclass
class _Part:
    """One of Dagster's processes.

    Attributes:
        name: also that of its log file.
        arguments: what follows `python -m outreach_platform.operations.guarded`.
        process: None before the first start.
        ends: when it ended unexpectedly, as seconds of the monotonic clock.
    """

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    ends: list[float] = field(default_factory=list)


class Parts:
    """Web server, daemon, code server and watchdog of one `up`.

    Each has a session of its own, so that Ctrl-C reaches `up` only and the order of ending is ours.
    """

    def __init__(self, data_dir: Path, home: Path, module: str, host: str, port: int) -> None:
        self.module = module
        # The name that workspace.yaml and pyproject.toml give it: the switches of schedules and
        # sensors hang on it.
        self.location = module.partition(".")[0]
        self.logs = data_dir / "logs"
        self._mark = uuid.uuid4().hex
        # Not in the data folder: the path of a Unix socket has at most 107 bytes.
        short = None if len(tempfile.gettempdir()) < _LONGEST_FOLDER else "/tmp"
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=short))
        self.code_socket = str(self.folder / "code.sock")
        self._environment = {
            **os.environ,
            MARK: self._mark,
            HOME_MARK: str(home),
            OWNER: f"{os.getpid()} {process_started(os.getpid())}",
            "OUTREACH_DATA_DIR": str(data_dir),
            "PYTHONUNBUFFERED": "1",
        }
        self._parts = self._describe(host, port)
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._logs_seen = 0.0

    def _describe(self, host: str, port: int) -> list[_Part]:
        workspace = self.folder / "workspace.yaml"
        server = {"socket": self.code_socket, "location_name": self.location}
        # JSON is YAML.
        workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
        after = ["--after", self.code_socket]
        files = ["--workspace", str(workspace)]
        code = ["dagster", "api", "grpc", "--lazy-load-user-code", "--socket", self.code_socket]
        code += ["--module-name", self.module, "--location-name", self.location]
        code += ["--log-level", "warning"]
        web = ["dagster-webserver", "--host", host, "--port", str(port)]
        web += ["--dagster-log-level", "warning"]
        return [
            _Part("code_server", code),
            _Part("webserver", [*after, *web, *files]),
            _Part("daemon", [*after, "dagster-daemon", "run", "--log-level", "warning", *files]),
        ]

    def log_path(self, name: str) -> Path:
        """The log file of a part."""
        return self.logs / f"{name}.log"

    def start(self) -> None:
        """Start the watchdog, then everything else."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.logs} cannot be made: {error.strerror}") from None
        self._start_watchdog()
        for part in self._parts:
            self._start(part)

    def refuse_dead(self) -> None:
        """Raise an OutreachError when a part ended, as nothing may while it starts up."""
        self._replace_watchdog()
        for part in self._parts:
            code = part.process.poll() if part.process else None
            if code is not None:
                raise OutreachError(
                    f"the {part.name} ended with code {code} while starting "
                    f"({self._last_line(part)}): the whole story is in {self.log_path(part.name)}"
                )

    def look_after(self) -> None:
        """Start again what ended, a limited number of times, and keep the log files small.

        Raises:
            OutreachError: a part ended more often than that.
        """
        self._replace_watchdog()
        now = time.monotonic()
        for part in self._parts:
            code = part.process.poll() if part.process else None
            if code is None:
                continue
            part.ends = [end for end in part.ends if now - end < RESTART_WINDOW_SECONDS] + [now]
            if len(part.ends) > RESTARTS:
                raise OutreachError(
                    f"the {part.name} ended {len(part.ends)} times within ten minutes, last with "
                    f"code {code} ({self._last_line(part)}): the whole story is in "
                    f"{self.log_path(part.name)}"
                )
            logger.warning("the %s ended with code %d and is started again", part.name, code)
            self._start(part)
        if now - self._logs_seen > _LOG_LOOK_SECONDS:
            self._logs_seen = now
            for part in self._parts:
                _rotate(self.log_path(part.name))

    def end(self, hurry: Callable[[], bool]) -> None:
        """End everything with this mark, the watchdog last, and remove the folder."""
        try:
            spare = {self._watchdog.pid} if self._watchdog else set()
            end_marked(MARK, self._mark, spare, hurry=hurry)
            for part in self._parts:
                if part.process:
                    part.process.poll()  # so that no zombie stays
        finally:
            self._end_watchdog()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, part: _Part) -> None:
        path = self.log_path(part.name)
        _rotate(path)
        # Appending, so that the file can be emptied while the process writes.
        with path.open("ab") as log:
            part.process = subprocess.Popen(
                [sys.executable, "-m", "outreach_platform.operations.guarded", *part.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def _start_watchdog(self) -> None:
        module = "outreach_platform.operations.watchdog"
        with self.log_path("watchdog").open("ab") as log:
            self._watchdog = subprocess.Popen(
                [sys.executable, "-m", module, self._mark, str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def _replace_watchdog(self) -> None:
        if self._watchdog and self._watchdog.poll() is not None:
            logger.warning("the watchdog was ended and is started again")
            self._close_pipe()
            self._start_watchdog()

    def _end_watchdog(self) -> None:
        if not self._watchdog:
            return
        self._close_pipe()  # its sign to clear away and end
        try:
            self._watchdog.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._watchdog.kill()
            self._watchdog.wait()

    def _close_pipe(self) -> None:
        if self._watchdog and self._watchdog.stdin:
            with contextlib.suppress(OSError):
                self._watchdog.stdin.close()

    def _last_line(self, part: _Part) -> str:
        with contextlib.suppress(OSError):
            text = self.log_path(part.name).read_bytes()[-4000:].decode(errors="replace")
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            if lines:
                return redact(lines[-1])
        return "it wrote nothing"


def _rotate(path: Path, limit: int = LOG_BYTES) -> None:
    """Move the content of a big log to `NAME.1`; the process that writes it keeps its file open."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > limit:
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
            os.truncate(path, 0)
