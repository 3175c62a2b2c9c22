"""A web server of the test's own that takes webhooks, and answers as the test says."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "hook-5f1c9e/run?token=t0p-s3cr3t"
Answer = Callable[[BaseHTTPRequestHandler, int], None]


def says(*statuses: int, **headers: str) -> Answer:
    """An answer without a body; the last status stands for all later requests."""

    def answer(handler: BaseHTTPRequestHandler, turn: int) -> None:
        handler.send_response(statuses[min(turn, len(statuses) - 1)])
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@contextmanager
def listening(answer: Answer) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web server on a free port: its address with the secret, and the requests it got."""
    heard: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(
                {"method": "POST", "path": self.path, "headers": self.headers, "body": body}
            )
            answer(self, len(heard) - 1)

        def do_GET(self) -> None:
            heard.append({"method": "GET", "path": self.path})
            says(200)(self, 0)

        def log_message(self, *args: Any) -> None:
            """The test reads what was heard."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{SECRET}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
