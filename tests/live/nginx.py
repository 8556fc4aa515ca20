"""Runs a real nginx in front of a server: one unprivileged process, with its files in a folder of its own."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.waiting import eventually

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
UPGRADE = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;"
"""Directives that make nginx forward WebSockets."""
HTTP_1_1 = "proxy_http_version 1.1;"
CONFIG = """
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 256; }}
http {{
    log_format short '$status $request_method $request_uri';
    access_log access.log short;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{port}{tls};
        {directives}
        location {path} {{
            proxy_pass {target}/;
            {http}
            {upgrade}
        }}
    }}
}}
"""


class Nginx:
    """An nginx that can be stopped and restarted on the same port."""

    def __init__(self, folder: Path, url: str, port: int) -> None:
        self.url = url
        self._folder = folder
        self._port = port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start nginx, and wait until it accepts connections."""
        assert NGINX is not None
        errors = self._folder / "error.log"
        process = await asyncio.create_subprocess_exec(
            *(NGINX, "-p", str(self._folder), "-e", str(errors), "-c", str(self._folder / "nginx.conf")),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._process = process

        def accepts_connections() -> bool:
            assert process.returncode is None, errors.read_text()
            return _taken(self._port)

        await eventually(accepts_connections, "an nginx that accepts connections")

    async def stop(self) -> None:
        """Terminate nginx, with all its connections."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    def answered(self, status: int = 0) -> list[str]:
        """Return the log lines of the requests answered, optionally only those with a status."""
        lines = (self._folder / "access.log").read_text().splitlines()
        return [line for line in lines if not status or line.startswith(f"{status} ")]


@asynccontextmanager
async def nginx_before(
    target: str,
    folder: Path,
    *,
    path: str = "/",
    directives: str = "",
    upgrade: str = UPGRADE,
    http: str = HTTP_1_1,
    pem: Path | None = None,
) -> AsyncIterator[Nginx]:
    """Run nginx in front of a server.

    Args:
        target: URL of the server.
        folder: Gets the configuration and the logs.
        path: Path under which the server is reached.
        directives: Further directives of the server block.
        upgrade: Directives that forward WebSockets.
        http: Directive of the HTTP that nginx speaks to the server.
        pem: Certificate and key; serves TLS if given.
    """
    port = _free_port()
    tls = f"ssl_certificate {pem}; ssl_certificate_key {pem};" if pem else ""
    config = CONFIG.format(
        port=port,
        tls=" ssl" if pem else "",
        directives=f"{tls} {directives}",
        path=path,
        target=target,
        upgrade=upgrade,
        http=http,
    )
    (folder / "nginx.conf").write_text(config)
    nginx = Nginx(folder, f"{'https' if pem else 'http'}://127.0.0.1:{port}{path.rstrip('/')}", port)
    try:
        await nginx.start()
        yield nginx
    finally:
        await nginx.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
