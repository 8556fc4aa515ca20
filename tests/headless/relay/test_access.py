"""Who gets in: the ways to show the token, what needs it, and how wrong ones are refused."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from comfytui.comfy.server import Server
from comfytui.headless.relay.app import relay_app
from comfytui.headless.relay.attempts import MAX_WAITING
from comfytui.headless.relay.limits import STREAM_PATH, RelayLimits
from comfytui.headless.relay.login import LIFETIME_SECONDS, LoginCookies
from comfytui.headless.relay.options import RelayOptions, check_options
from comfytui.service.thread import ServiceThread
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.guarded import BEARER, CLOSED, TOKEN, Guarded, guarded
from tests.headless.relay.running import running_relay
from tests.waiting import eventually

WRONG = {"Authorization": "Bearer wrong"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1"])
def test_this_machine_needs_no_token(host: str) -> None:
    check_options(RelayOptions(host=host))


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.1.2", "comfy.example", "127.0.0.1.example"])
def test_any_other_address_needs_a_token(host: str) -> None:
    with pytest.raises(ValueError, match="needs a token"):
        check_options(RelayOptions(host=host))
    check_options(RelayOptions(host=host, token=TOKEN))


@pytest.mark.parametrize("origin", ["https://app.example", "http://localhost:5173", "http://[::1]:80"])
def test_an_origin_is_allowed_as_a_browser_writes_it(origin: str) -> None:
    check_options(RelayOptions(allowed_origins=(origin,)))


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "", "app.example", "https://app.example/", "https://App.example", "https://u@a", "http://[x"],
)
def test_what_is_no_origin_is_not_allowed(origin: str) -> None:
    with pytest.raises(ValueError, match="is not an origin"):
        check_options(RelayOptions(allowed_origins=(origin,)))


def test_the_options_do_not_show_the_token() -> None:
    assert TOKEN not in repr(CLOSED)


async def test_every_path_of_the_api_needs_the_token() -> None:
    async with guarded(CLOSED) as relay:
        paths = [
            "/api/queue",
            "/api/jobs/x",
            "/api/failure",
            "/api/unknown",
            "/api/generate/progress",
            "/metrics",
            "/x",
        ]
        for path in paths:
            response = await relay.client.get(path)
            assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer"), path
            assert response.json() == {"error": "The relay needs its token."}
        assert (await relay.client.post("/api/generate", json={})).status_code == 401
        assert (await relay.client.head("/api/queue")).status_code == 401


async def test_the_page_asks_for_the_token_and_needs_none() -> None:
    async with guarded(CLOSED) as relay:
        for path in ("/", "/page.js", "/healthz"):
            assert (await relay.client.get(path)).status_code == 200, path


async def test_a_path_that_only_looks_public_is_not() -> None:
    async with guarded(CLOSED) as relay:
        for path in (
            "/page.js/../api/queue",
            "/%2e%2e/api/queue",
            "//api/queue",
            "/api/queue/page.js",
            "/api/jobs/x.js",
        ):
            raw = await relay.send(f"GET {path} HTTP/1.1\r\nHost: {relay.host}\r\nConnection: close\r\n\r\n".encode())
            assert raw.startswith(b"HTTP/1.1 401"), path


async def test_a_header_or_the_query_shows_the_token() -> None:
    async with guarded(CLOSED) as relay:
        assert (await relay.client.get("/api/queue", headers=BEARER)).status_code == 200
        assert (await relay.client.get("/api/queue", headers={"Authorization": f"bearer  {TOKEN}"})).status_code == 200
        assert (await relay.client.get("/api/queue", params={"token": TOKEN})).status_code == 200
        assert (await relay.client.post("/api/generate", json={}, headers=BEARER)).status_code == 200


async def test_a_handler_does_not_see_the_token_of_the_query() -> None:
    async with guarded(CLOSED) as relay:
        response = await relay.client.get("/api/queue", params={"a": "1 &2", "token": TOKEN, "b": "ü"})
        assert response.json()["path"] == "/api/queue?a=1+%262&b=%C3%BC"
        assert "token" not in response.text


@pytest.mark.parametrize("wrong", ["x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\xff\xfe", "a" * 4000])
async def test_a_wrong_token_is_refused(wrong: str) -> None:
    async with guarded(CLOSED, RelayLimits(wrong_token_seconds=0.0)) as relay:
        for answer in (
            await relay.client.get("/api/queue", headers=[(b"Authorization", f"Bearer {wrong}".encode())]),
            await relay.client.get("/api/queue", params={"token": wrong}),
            await relay.client.post("/login", json={"token": wrong}),
        ):
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert answer.json() == {"error": "This is not the token of the relay."}


async def test_half_of_a_character_is_a_wrong_token() -> None:
    async with guarded(CLOSED, RelayLimits(wrong_token_seconds=0.0)) as relay:
        as_json = {"Content-Type": "application/json"}
        for answer in (
            await relay.client.post("/login", content=b'{"token": "\\ud800"}', headers=as_json),
            await relay.client.get("/api/queue", headers=[(b"Authorization", b"Bearer \xed\xa0\x80")]),
            await relay.client.get("/api/queue?token=%ED%A0%80"),
        ):
            assert answer.status_code == 401
            assert answer.json() == {"error": "This is not the token of the relay."}


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer,", f"Basic {TOKEN}", TOKEN])
async def test_another_scheme_shows_no_token(header: str) -> None:
    async with guarded(CLOSED) as relay:
        assert (await relay.client.get("/api/queue", headers={"Authorization": header})).status_code == 401


@pytest.mark.parametrize("body", [{"json": {"token": TOKEN}}, {"data": {"token": TOKEN}}], ids=["json", "form"])
async def test_a_browser_logs_in_and_out(body: dict[str, dict[str, str]]) -> None:
    async with guarded(CLOSED) as relay:
        response = await relay.client.request("POST", "/login", **body)  # type: ignore[arg-type]
        assert response.status_code == 204
        cookie = response.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert TOKEN not in cookie

        assert (await relay.client.get("/api/queue")).status_code == 200
        assert (await relay.client.post("/logout")).status_code == 204
        assert not relay.client.cookies
        assert (await relay.client.get("/api/queue")).status_code == 401


@pytest.mark.parametrize(("token", "status"), [(TOKEN, 200), (f"{TOKEN}2", 401)], ids=["same token", "other token"])
async def test_a_login_outlives_the_relay_but_not_its_token(token: str, status: int) -> None:
    async with guarded(CLOSED) as relay:
        assert (await relay.client.post("/login", json={"token": TOKEN})).status_code == 204
        kept = _cookie_header(dict(relay.client.cookies))
    port = int(relay.host.rpartition(":")[2])
    async with guarded(RelayOptions(port=port, token=token)) as relay:
        assert (await relay.client.get("/api/queue", headers=kept)).status_code == status


async def test_a_browser_is_logged_in_to_two_relays_of_one_machine() -> None:
    async with guarded(CLOSED) as relay, guarded(CLOSED) as other, other.another() as browser:
        addresses = [f"http://{each.host}" for each in (relay, other)]
        for address in addresses:
            assert (await browser.post(f"{address}/login", json={"token": TOKEN})).status_code == 204
        for address in addresses:
            assert (await browser.get(f"{address}/api/queue")).status_code == 200
        assert set(browser.cookies) == {f"comfytui-relay-{each.port}" for each in (relay, other)}


async def test_a_cookie_is_only_for_https_where_a_proxy_on_this_machine_says_so() -> None:
    async with guarded(CLOSED) as relay:
        response = await relay.client.post("/login", json={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
        assert "Secure" in response.headers["Set-Cookie"].split("; ")


async def test_invented_cookies_are_worth_nothing() -> None:
    async with guarded(CLOSED) as relay:
        await relay.client.post("/login", json={"token": TOKEN})
        ((name, cookie),) = relay.client.cookies.items()
        ends, signature = cookie.split(".")
        async with relay.another() as stranger:
            invented = [
                "",
                ".",
                "x",
                "x.y",
                TOKEN,
                "\xff",
                "\xff.\xff",
                ends,
                f".{signature}",
                f"{ends}.",
                f"{ends}0.{signature}",
            ]
            for value in (
                *invented,
                f"{ends}.{signature}0",
                f"{ends}.{signature[:-1]}",
                f"{int(ends) + 1}.{signature}",
            ):
                answer = await stranger.get("/api/queue", headers=_cookie_header({name: value}))
                assert answer.status_code == 401, value
            assert (await stranger.get("/api/queue", headers=_cookie_header({name: cookie}))).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b'{"token": 1}'),
        ("application/json", b"\xff"),
        ("application/json", b"[" * 4000),
        ("application/json", b'{"token": "\xff"}'),
        ("application/x-www-form-urlencoded", b"tok=1"),
        ("application/x-www-form-urlencoded; charset=none", b"token=\xff"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("text/plain", TOKEN.encode()),
        ("", b""),
    ],
)
async def test_a_login_that_has_no_token_is_a_bad_request(content_type: str, body: bytes) -> None:
    async with guarded(CLOSED) as relay:
        response = await relay.client.post("/login", content=body, headers={"Content-Type": content_type})
        assert response.status_code == 400
        assert response.json() == {"error": "The body must have the token: as JSON, or as a form."}


async def test_whoever_guesses_is_slowed_down_whatever_address_is_told() -> None:
    async with guarded(CLOSED, RelayLimits(wrong_token_seconds=0.2)) as relay:
        began = time.monotonic()
        for number in range(4):
            guess = {"Authorization": f"Bearer {number}", "X-Forwarded-For": f"203.0.113.{number}"}
            assert (await relay.client.get("/api/queue", headers=guess)).status_code == 401
        assert time.monotonic() - began >= 4 * 0.2


async def test_the_right_token_waits_for_no_wrong_one() -> None:
    async with guarded(CLOSED, RelayLimits(wrong_token_seconds=1000.0)) as relay, _guessing(relay):
        assert (await relay.client.get("/api/queue", headers=BEARER)).status_code == 200
        assert (await relay.client.post("/login", json={"token": TOKEN})).status_code == 204


async def test_only_so_many_answers_wait_and_a_client_that_leaves_makes_room() -> None:
    async with guarded(CLOSED, RelayLimits(wrong_token_seconds=1000.0)) as relay:
        async with _guessing(relay) as refused:
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1000")
            assert refused.json() == {"error": "Too many wrong tokens are shown at once; try again later."}
        with suppress(httpx.ReadTimeout):
            while True:
                await relay.client.get("/api/queue", headers=WRONG, timeout=1)


def test_a_login_ends_by_itself() -> None:
    clock = Clock()
    logins = LoginCookies(TOKEN.encode(), clock)
    cookie = logins.new()
    clock.now += LIFETIME_SECONDS - 1
    assert logins.is_valid(cookie)
    clock.now += 1
    assert not logins.is_valid(cookie)


async def test_neither_logs_nor_errors_have_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for client in ("httpx", "httpcore"):
        caplog.set_level(logging.WARNING, client)
    async with guarded(CLOSED) as relay:
        failure = await relay.client.get("/api/failure", params={"token": TOKEN})
        answers = [failure.text, (await relay.client.get("/api/x", params={"token": TOKEN})).text]
        for raw in (
            f"GET /api/queue?token={TOKEN} HTTP/9.1\r\n\r\n",
            f"GET /api/queue?token={TOKEN}{'x' * 9000} HTTP/1.1\r\n\r\n",
            f"GET /api/queue HTTP/1.1\r\nAuthorization: Bearer {TOKEN}{'x' * 9000}\r\n\r\n",
            f"GET /api/queue HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\0\r\n\r\n",
            f"GET http://[{TOKEN} HTTP/1.1\r\n\r\n",
        ):
            answer = (await relay.send(raw.encode())).decode()
            assert " 400 " in answer
            answers.append(answer)
    assert failure.status_code == 500
    assert "no luck" in caplog.text
    assert TOKEN not in "".join(answers) + caplog.text


async def test_a_stream_with_the_token_in_its_query_ends_with_its_client() -> None:
    async with guarded(RelayOptions(port=0, token=TOKEN, clients=1)) as relay:
        for _ in range(3):
            async with relay.client.stream("GET", STREAM_PATH, params={"token": TOKEN}) as stream:
                assert stream.status_code == 200
            await eventually(lambda: relay.streams == 0, "no stream")


async def test_every_route_of_the_relay_needs_the_token() -> None:
    app = relay_app(ServiceThread(Server.from_url("http://127.0.0.1:1")), CLOSED)
    routes = [(route.method, route.resource.canonical) for route in app.router.routes() if route.resource]
    async with SimServer(SimConfig()) as sim, running_relay(sim.url, options=CLOSED) as relay:
        for method, path in routes:
            status = (await relay.client.request(method, path.replace("{", "").replace("}", ""))).status_code
            assert (status == 401) == (path.startswith("/api/") or path == "/metrics"), (method, path)
        assert (await relay.client.post("/login", json={"token": TOKEN})).status_code == 204
        assert (await relay.client.get("/api/unknown")).status_code == 404


@asynccontextmanager
async def _guessing(relay: Guarded) -> AsyncIterator[httpx.Response]:
    """Show as many wrong tokens as may wait, and one more, whose answer is returned."""
    async with relay.another() as client:
        guesses = [asyncio.create_task(client.get("/api/queue", headers=WRONG)) for _ in range(MAX_WAITING + 1)]
        done, waiting = await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
        yield done.pop().result()
        assert not [guess for guess in waiting if guess.done()]
        for guess in waiting:
            guess.cancel()


def _cookie_header(cookies: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(b"Cookie", f"{name}={value}".encode("latin-1")) for name, value in cookies.items()]
