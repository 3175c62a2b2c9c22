"""The HTTP side of `b2_server`: calls of B2's native API, one method each."""

import base64
import contextlib
import hashlib
import json
import secrets
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus, urlsplit

if TYPE_CHECKING:
    from outreach_platform_tests.support.b2_server import B2Server, Fault, Key, StoredFile

_INFO = "x-bz-info-"
_DIGITS_AT_END = "hex_digits_at_end"


class Refusal(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class B2HttpServer(ThreadingHTTPServer):
    """Binds a free local port."""

    daemon_threads = True

    def __init__(self, state: "B2Server") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.state = state

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: B2HttpServer
    fault: "Fault | None" = None

    @property
    def state(self) -> "B2Server":
        return self.server.state

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() + self.state.clock_skew_seconds, usegmt=True)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = urlsplit(self.path).path.split("/")[3]
        self._answer(call, lambda: self._call(call, body))

    def do_GET(self) -> None:
        self._answer("download", self._download)

    def do_HEAD(self) -> None:
        self._answer("head", self._download)

    # answers

    def _answer(self, call: str, work: Any) -> None:
        self.state.calls.append(call)
        self.fault = self.state.take_fault(call)
        try:
            self._refuse_by_fault()
            with self.state.lock:
                answer = work()
        except Refusal as refusal:
            body = {"status": refusal.status, "code": refusal.code, "message": str(refusal)}
            self._send(refusal.status, {}, json.dumps(body).encode())
            return
        except ConnectionError:
            self._hang_up()
            return
        if self.fault and self.fault.status == "drop_after":
            self._hang_up()
            return
        self._send(*answer)

    def _refuse_by_fault(self) -> None:
        if self.fault is None:
            return
        if self.fault.status == "hang":
            self.state.stopping.wait()
        if self.fault.status in ("drop", "hang"):
            raise ConnectionError
        if self.fault.status == 401:
            raise Refusal(401, "expired_auth_token", "Authorization token has expired")
        if isinstance(self.fault.status, int):
            raise Refusal(self.fault.status, "service_unavailable", "please try again")

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(2)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        if self.fault and self.fault.retry_after is not None:
            self.send_header("Retry-After", str(self.fault.retry_after))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.fault and self.fault.status == "truncate":
            self.wfile.write(body[: len(body) // 2])
            self._hang_up()
            return
        self.wfile.write(body)

    # calls

    def _call(self, call: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        method = getattr(self, f"_{call}", None)
        if method is None:
            raise Refusal(400, "bad_request", f"no such call: {call}")
        if call in ("b2_upload_file", "b2_upload_part"):
            answer = method(body)
        else:
            answer = method(json.loads(body or b"{}"))
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()

    def _allowed(self, capability: str, name: str | None = None) -> "Key":
        key = self.state.tokens.get(self.headers.get("Authorization", ""))
        if key is None:
            raise Refusal(401, "bad_auth_token", "Invalid authorization token")
        outside = name is not None and not name.startswith(key.prefix or "")
        if capability not in key.capabilities or outside:
            raise Refusal(401, "unauthorized", "unauthorized")
        return key

    def _token(self, key: "Key") -> str:
        token = f"4_{secrets.token_urlsafe(24)}"
        self.state.tokens[token] = key
        return token

    def _b2_authorize_account(self, _: dict[str, Any]) -> dict[str, Any]:
        basic = self.headers.get("Authorization", "").removeprefix("Basic ")
        key_id, _, secret = base64.b64decode(basic).decode().partition(":")
        key = self.state.keys.get(key_id)
        if key is None or key.secret != secret:
            raise Refusal(401, "unauthorized", "invalid key")
        buckets = [{"id": self.state.bucket_id, "name": self.state.bucket}]
        return {
            "accountId": self.state.account_id,
            "authorizationToken": self._token(key),
            "apiInfo": {
                "storageApi": {
                    "apiUrl": self.state.realm,
                    "downloadUrl": self.state.realm,
                    "s3ApiUrl": self.state.realm,
                    "absoluteMinimumPartSize": min(self.state.part_size, 5_000_000),
                    "recommendedPartSize": self.state.part_size,
                    "allowed": {
                        "buckets": buckets if key.bucket_only else None,
                        "capabilities": list(key.capabilities),
                        "namePrefix": key.prefix,
                    },
                }
            },
        }

    def _b2_list_buckets(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._allowed("listBuckets")
        known = {"bucketName": self.state.bucket, "bucketId": self.state.bucket_id}
        if any(asked.get(name) not in (None, value) for name, value in known.items()):
            return {"buckets": []}
        bucket = {
            "accountId": self.state.account_id,
            "bucketType": "allPrivate",
            "bucketInfo": {},
            "corsRules": [],
            "lifecycleRules": [],
            "options": [],
            "revision": 1,
            "defaultServerSideEncryption": {
                "isClientAuthorizedToRead": True,
                "value": {"mode": None},
            },
            "fileLockConfiguration": {"isClientAuthorizedToRead": False, "value": None},
        }
        return {"buckets": [bucket | known]}

    def _b2_get_upload_url(self, asked: dict[str, Any]) -> dict[str, Any]:
        key = self._allowed("writeFiles")
        self._bucket(asked)
        return {
            "bucketId": self.state.bucket_id,
            "uploadUrl": f"{self.state.realm}/b2api/v4/b2_upload_file/{secrets.token_hex(4)}",
            "authorizationToken": self._token(key),
        }

    def _b2_upload_file(self, body: bytes) -> dict[str, Any]:
        from outreach_platform_tests.support.b2_server import StoredFile

        name = unquote_plus(self.headers["X-Bz-File-Name"])
        self._allowed("writeFiles", name)
        data, sha1 = self._received(body)
        # Backblaze folds the names of entries to lower case.
        info = {
            header[len(_INFO) :].lower(): unquote_plus(value)
            for header, value in self.headers.items()
            if header.lower().startswith(_INFO)
        }
        _check_info(info)
        file = StoredFile(self.state.new_id(), name, data, self.headers["Content-Type"], sha1, info)
        return self._described(self.state.add(file))

    def _received(self, body: bytes) -> tuple[bytes, str]:
        announced = self.headers["X-Bz-Content-Sha1"]
        if announced == _DIGITS_AT_END:
            body, announced = body[:-40], body[-40:].decode()
        if self.fault and self.fault.status == "corrupt":
            body = bytes([body[0] ^ 1]) + body[1:]
        if hashlib.sha1(body).hexdigest() != announced:
            raise Refusal(400, "bad_request", "Sha1 did not match data received")
        return body, announced

    def _b2_start_large_file(self, asked: dict[str, Any]) -> dict[str, Any]:
        from outreach_platform_tests.support.b2_server import StoredFile

        self._allowed("writeFiles", asked["fileName"])
        self._bucket(asked)
        info = {name.lower(): value for name, value in (asked.get("fileInfo") or {}).items()}
        _check_info(info)
        file = StoredFile(
            self.state.new_id(),
            asked["fileName"],
            info=info,
            action="start",
            content_type=asked["contentType"],
        )
        return self._described(self.state.add(file))

    def _b2_get_upload_part_url(self, asked: dict[str, Any]) -> dict[str, Any]:
        key = self._allowed("writeFiles")
        file = self._unfinished(asked["fileId"])
        return {
            "fileId": file.file_id,
            "uploadUrl": f"{self.state.realm}/b2api/v4/b2_upload_part/{file.file_id}",
            "authorizationToken": self._token(key),
        }

    def _b2_upload_part(self, body: bytes) -> dict[str, Any]:
        self._allowed("writeFiles")
        file = self._unfinished(urlsplit(self.path).path.split("/")[4])
        data, sha1 = self._received(body)
        number = int(self.headers["X-Bz-Part-Number"])
        file.parts[number] = (data, sha1)
        return _part(file, number)

    def _b2_list_parts(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._allowed("writeFiles")
        file = self._unfinished(asked["fileId"])
        return {
            "parts": [_part(file, number) for number in sorted(file.parts)],
            "nextPartNumber": None,
        }

    def _b2_list_unfinished_large_files(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._allowed("listFiles")
        prefix = asked.get("namePrefix") or ""
        found = [file for file in self.state.unfinished if file.name.startswith(prefix)]
        return {"files": [self._described(file) for file in found], "nextFileId": None}

    def _b2_finish_large_file(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._allowed("writeFiles")
        file = self._unfinished(asked["fileId"])
        parts = [file.parts[number] for number in sorted(file.parts)]
        if [sha1 for _, sha1 in parts] != asked["partSha1Array"]:
            raise Refusal(400, "bad_request", "part sha1 array does not match the parts")
        file.data, file.action = b"".join(data for data, _ in parts), "upload"
        file.parts = {}
        self.state.versions.remove(file)
        return self._described(self.state.add(file))

    def _b2_cancel_large_file(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._allowed("writeFiles")
        file = self._unfinished(asked["fileId"])
        self.state.versions.remove(file)
        return self._described(file)

    def _b2_list_file_names(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._allowed("listFiles", asked.get("prefix") or "")
        self._bucket(asked)
        files = [
            file
            for file in self.state.visible().values()
            if file.name.startswith(asked.get("prefix") or "")
            and file.name.encode() >= (asked.get("startFileName") or "").encode()
        ]
        page = asked.get("maxFileCount") or 100
        following = files[page].name if len(files) > page else None
        return {"files": [self._described(f) for f in files[:page]], "nextFileName": following}

    def _b2_list_file_versions(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._allowed("listFiles", asked.get("prefix") or "")
        self._bucket(asked)
        files = [v for v in self.state.versions if v.name.startswith(asked.get("prefix") or "")]
        files.sort(key=lambda file: (file.name.encode(), -file.timestamp))
        return {
            "files": [self._described(file) for file in files],
            "nextFileName": None,
            "nextFileId": None,
        }

    def _b2_get_file_info(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._allowed("readFiles")
        for file in self.state.versions:
            if file.file_id == asked["fileId"]:
                return self._described(file)
        raise Refusal(404, "not_found", "no such file")

    def _b2_hide_file(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._allowed("writeFiles", asked["fileName"])
        self.state.hide(asked["fileName"])
        return self._described(self.state.versions[-1])

    def _b2_delete_file_version(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._allowed("deleteFiles", asked["fileName"])
        for file in self.state.versions:
            if file.file_id == asked["fileId"]:
                self.state.versions.remove(file)
                return {"fileId": file.file_id, "fileName": file.name}
        raise Refusal(400, "file_not_present", "no such file version")

    def _download(self) -> tuple[int, dict[str, str], bytes]:
        path = urlsplit(self.path).path
        start = f"/file/{self.state.bucket}/"
        name = unquote_plus(path.removeprefix(start))
        self._allowed("readFiles", name)
        file = self.state.visible().get(name)
        if not path.startswith(start) or file is None:
            raise Refusal(404, "not_found", f"no such file: {name}")
        headers = {
            "Content-Type": file.content_type,
            "Accept-Ranges": "bytes",
            "X-Bz-File-Id": file.file_id,
            "X-Bz-File-Name": quote(file.name),
            "X-Bz-Content-Sha1": file.sha1 or "none",
            "X-Bz-Upload-Timestamp": str(file.timestamp),
        }
        headers |= {f"X-Bz-Info-{entry}": quote(value) for entry, value in file.info.items()}
        asked = self.headers.get("Range")
        if not asked:
            return 200, headers, file.data
        first, _, last = asked.removeprefix("bytes=").partition("-")
        end = min(int(last or len(file.data) - 1), len(file.data) - 1)
        headers["Content-Range"] = f"bytes {first}-{end}/{len(file.data)}"
        return 206, headers, file.data[int(first) : end + 1]

    # parts of answers

    def _bucket(self, asked: dict[str, Any]) -> None:
        if asked.get("bucketId") != self.state.bucket_id:
            raise Refusal(400, "bad_bucket_id", "no such bucket")

    def _unfinished(self, file_id: str) -> "StoredFile":
        for file in self.state.unfinished:
            if file.file_id == file_id:
                return file
        raise Refusal(400, "bad_request", f"no unfinished large file {file_id}")

    def _described(self, file: "StoredFile") -> dict[str, Any]:
        return {
            "accountId": self.state.account_id,
            "bucketId": self.state.bucket_id,
            "fileId": file.file_id,
            "fileName": file.name,
            "action": file.action,
            "contentLength": len(file.data),
            "contentSha1": file.sha1 or "none",
            "contentType": file.content_type,
            "fileInfo": file.info,
            "uploadTimestamp": file.timestamp,
            "serverSideEncryption": {"mode": None, "algorithm": None},
            "fileRetention": {
                "isClientAuthorizedToRead": True,
                "value": {"mode": None, "retainUntilTimestamp": None},
            },
            "legalHold": {"isClientAuthorizedToRead": True, "value": None},
        }


def _part(file: "StoredFile", number: int) -> dict[str, Any]:
    data, sha1 = file.parts[number]
    return {
        "fileId": file.file_id,
        "partNumber": number,
        "contentLength": len(data),
        "contentSha1": sha1,
    }


def _check_info(info: dict[str, str]) -> None:
    if len(info) > 10:
        raise Refusal(400, "bad_request", "more than 10 file info headers")
    if sum(len(name) + len(quote(value)) for name, value in info.items()) > 7000:
        raise Refusal(400, "bad_request", "file info headers are too large")
