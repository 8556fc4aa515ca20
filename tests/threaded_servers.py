"""HTTP servers that are not ComfyUI, in threads, for tests of the program in a terminal."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ThreadedServer(http.server.ThreadingHTTPServer):
    """Sends the same response to every request, and records the requests' paths and headers."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.response = status, headers, body
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        """The server's URL."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ThreadedServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.path}\n{self.headers}")
        status, headers, body = self.server.response
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def threaded_server(status: int = 200, body: bytes = b"", **headers: str) -> Iterator[ThreadedServer]:
    """Run a server with one response to all requests."""
    with ThreadedServer(status, headers, body) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent_port() -> Iterator[int]:
    """Listen on a port that accepts connections and never responds, like a busy server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def unused_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
