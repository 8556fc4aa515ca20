"""One HTTP exchange: limits on time and size, and every fault as one of our errors, without a secret in it."""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from comfytui.comfy.errors import ComfyError, NotComfyUI, ServerError, TimedOut, Unauthorized, Unreachable
from comfytui.comfy.server import Server
from comfytui.plain import plain

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
MIB = 2**20
BODY_LIMIT = 256 * MIB
"""Bytes of one answer: a queue of 10,000 prompts with large graphs fits, an endless stream does not."""
_SLOW_STATUSES = frozenset({408, 504, 522, 524})
_CLOSED_STATUSES = frozenset({401, 403, 407})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `html` marks pages, which no endpoint of ComfyUI that is asked here gives."""

    status: int
    body: bytes
    html: bool


class Transport:
    """Requests to one server, over one pool of connections."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._http = httpx.AsyncClient(
            headers={"User-Agent": "comfytui", **server.headers},
            verify=server.tls or False,
            trust_env=not server.loopback,
            follow_redirects=False,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        limit: int = BODY_LIMIT,
    ) -> Answer:
        """One request and its whole answer; only statuses below 500 that are no refusal to let us in come back."""
        url = httpx.URL(self._server.http_url(path))
        if params:
            url = url.copy_merge_params(params)
        try:
            async with self._http.stream(method, url, json=json) as response:
                self._check(response)
                html = "text/html" in response.headers.get("content-type", "")
                return Answer(response.status_code, await self._read(response, limit), html)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise self._fault(error) from None

    async def _read(self, response: httpx.Response, limit: int) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > limit:
                raise ServerError(
                    f"The answer of {self._server.shown} is larger than {limit // MIB} MiB: it was not read."
                )
        return bytes(body)

    def _check(self, response: httpx.Response) -> None:
        status, shown = response.status_code, self._server.shown
        if status in _CLOSED_STATUSES or response.is_redirect:
            raise refused_entry(shown, status)
        if status in _SLOW_STATUSES:
            raise TimedOut(f"A proxy before {shown} gave up waiting ({status}): the server is busy or down, try again.")
        if status >= 500:
            raise ServerError(f"{shown} failed with status {status}: look at the server's log.")

    def _fault(self, error: Exception) -> ComfyError:
        shown = self._server.shown
        match error:
            case httpx.ConnectTimeout():
                return Unreachable(f"{shown} does not answer: check the address, the VPN or the SSH forward.")
            case httpx.ConnectError():
                return unreachable(shown, error)
            case httpx.TimeoutException():
                return TimedOut(f"{shown} took too long to answer: it may be loading a model, or the link is broken.")
            case _:
                kind = plain(type(error).__name__, 40)
                return ServerError(f"The connection to {shown} broke ({kind}): it is tried again.")


def refused_entry(shown: str, status: int) -> Unauthorized:
    """What to do about a 401, a 403 or a redirect to a login."""
    return Unauthorized(
        f"{shown} wants to know who you are ({status}): put user:password@ before the host, or give --header."
    )


def unreachable(shown: str, error: BaseException) -> Unreachable:
    """Why there is no connection, out of the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLCertVerificationError():
                return Unreachable(f"The certificate of {shown} is not trusted: give --ca FILE, or --insecure.")
            case ssl.SSLError():
                return Unreachable(f"{shown} does not speak TLS: try http:// instead of https://.")
            case socket.gaierror():
                return Unreachable(f"No host has the name in {shown}: check the spelling and the network.")
            case ConnectionRefusedError():
                return Unreachable(f"Nothing listens at {shown}: start ComfyUI there, or forward the port with ssh -L.")
        cause = cause.__cause__ or cause.__context__
    # Connection errors of several addresses are folded into one text.
    if "refused" in str(error) or "All connection attempts failed" in str(error):
        return Unreachable(f"Nothing listens at {shown}: start ComfyUI there, or forward the port with ssh -L.")
    return Unreachable(f"{shown} cannot be reached: check the address, the VPN or the SSH forward.")


def not_comfyui(shown: str) -> NotComfyUI:
    """What to do where something else answers."""
    return NotComfyUI(f"What answers at {shown} is no ComfyUI: check the address and the port (ComfyUI's own is 8188).")
