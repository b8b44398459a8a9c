"""`bench report --serve`: serve the page on a port of this machine and update it live."""

import errno
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.config.schema import ConfigError
from bench.report.state import State
from bench.runtime.console import console

HERE = "127.0.0.1"
NAMES = {"localhost", HERE}  # a request with another host name may be an attack by DNS rebinding


class Server(ThreadingHTTPServer):
    """Serves one results folder to this machine only. port 0: any free port."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, results: Path, port: int) -> None:
        self.state = State(results)
        super().__init__((HERE, port), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a browser that closes the connection while the page is sent."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def address(self) -> str:
        return f"http://{HERE}:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.headers.get("Host", "").rpartition(":")[0] not in NAMES and self.headers.get("Host") not in NAMES:
            self.answer(403, "text/plain", "Only browsers on this machine may read this page.")
        elif self.path == "/":
            self.answer(200, "text/html", self.server.state.page())
        elif self.path == "/state":
            self.answer(200, "application/json", json.dumps(self.server.state.now()))
        else:
            self.answer(404, "text/plain", "Not found: this server has / only.")

    def answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence the access log: the page polls every 2 s."""


def serve(results: Path, port: int) -> int:
    """Serve until Ctrl-C. ConfigError if the port is not available."""
    try:
        server = Server(results, port)
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        reason = "not a port" if isinstance(error, OverflowError) else "in use or not permitted"
        raise ConfigError(
            f"port {port}: {reason}; choose another with --port N, or --port 0 for any free port"
        ) from None
    console.print(f"{results}, live: {server.address} (Ctrl-C to stop)", markup=False)
    with server:
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            console.print("stopped; the records are unchanged")
    return 0
