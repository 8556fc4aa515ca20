"""Cookies are sent with requests and handshakes, within limits."""

from contextlib import aclosing

from aiohttp import web

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Opened
from comfytui.comfy.websocket.event_stream import stream_events
from tests.stub_servers import serving


class CookieServer:
    """Sets cookies, and records the `Cookie` header of each request."""

    def __init__(self, *cookies: str) -> None:
        self._cookies = cookies
        self.seen: list[str] = []

    async def count(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("Cookie", ""))
        response = web.json_response({"exec_info": {"queue_remaining": 0}})
        for cookie in self._cookies:
            response.headers.add("Set-Cookie", cookie.format(len(self.seen)))
        return response

    async def socket(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.headers.get("Cookie", ""))
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        async for _ in connection:
            pass
        return connection

    async def cookie_headers(self, times: int, headers: tuple[tuple[str, str], ...] = ()) -> list[str]:
        """Return the `Cookie` headers of a number of requests, and of a handshake after them."""
        async with serving({"GET /api/prompt": self.count, "GET /ws": self.socket}) as url:
            server = Server.from_url(url, headers=headers)
            async with ComfyClient(server) as client:
                for _ in range(times):
                    await client.queue_count()
            async with aclosing(stream_events(server, "me")) as stream:
                assert await anext(stream) == Opened()
        return self.seen


async def test_a_session_cookie_is_sent_with_requests_and_the_handshake() -> None:
    assert await CookieServer("session=abc; Path=/; HttpOnly").cookie_headers(2) == [
        "",
        "session=abc",
        "session=abc",
        "session=abc",
    ]


async def test_the_oldest_of_too_many_cookies_are_evicted() -> None:
    *_, request, handshake = await CookieServer(
        *(f"name{{0}}-{n}={'x' * 400}; Path=/" for n in range(20))
    ).cookie_headers(5)
    assert max(map(len, (request, handshake))) < 8_000
    assert "name5-19=" in request
    assert "name6-19=" in handshake
    assert "name1-" not in request


async def test_a_cookie_that_is_too_large_is_not_kept() -> None:
    assert (await CookieServer("big=" + "x" * 7_000, "session=abc; Path=/").cookie_headers(1))[-1] == "session=abc"


async def test_cookies_of_the_user_replace_those_of_the_server() -> None:
    headers = await CookieServer("session=abc").cookie_headers(1, (("Cookie", "mine=1"),))
    assert set(headers) == {"mine=1"}
