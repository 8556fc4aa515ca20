"""Which web pages may use the relay: requests as browsers send them, from its own page and from others."""

import pytest

from comfytui.headless.relay.options import RelayOptions
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.guarded import BEARER, CLOSED, TOKEN, guarded
from tests.headless.relay.running import running_relay

APP = "https://app.example"
ALLOWING = RelayOptions(port=0, allowed_origins=(APP, "http://localhost:5173"))


async def test_a_program_on_this_machine_reads_and_writes() -> None:
    async with guarded() as relay:
        assert (await relay.client.get("/api/queue")).status_code == 200
        assert (await relay.client.post("/api/generate", json={"values": {}})).status_code == 200


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "127.1.2.3", "[::1]", "relay.localhost"])
@pytest.mark.parametrize("port", ["", ":1234"])
async def test_without_a_token_names_of_this_machine_are_answered(name: str, port: str) -> None:
    async with guarded() as relay:
        assert (await relay.client.get("/api/queue", headers={"Host": name + port})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "192.168.1.2:8189", "0.0.0.0", "localhost.evil.example", "127.0.0.1.evil.example", "[", ""]
)
async def test_a_name_that_was_rebound_is_refused(host: str) -> None:
    async with guarded() as relay:
        for method, path in (("GET", "/"), ("GET", "/api/queue"), ("POST", "/api/generate"), ("GET", "/healthz")):
            response = await relay.client.request(method, path, headers={"Host": host, "Origin": f"http://{host}"})
            assert response.status_code == 403
            assert "names of this machine" in response.json()["error"]


async def test_http_1_0_without_a_host_is_no_browser() -> None:
    async with guarded() as relay:
        assert (await relay.send(b"GET /api/queue HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 200")


async def test_with_a_token_any_name_is_answered() -> None:
    async with guarded(CLOSED) as relay:
        for host in ("relay.example", "192.168.1.2:8189"):
            assert (await relay.client.get("/api/queue", headers={**BEARER, "Host": host})).status_code == 200


async def test_the_relays_own_page_reads_and_writes() -> None:
    async with guarded() as relay:
        own = {"Origin": f"http://{relay.host}"}
        for headers in (own, {**own, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "same-origin"}):
            assert (await relay.client.get("/api/queue", headers=headers)).status_code == 200
            assert (await relay.client.post("/api/generate", json={}, headers=headers)).status_code == 200


async def test_the_page_behind_a_proxy_that_sets_another_host_writes() -> None:
    async with guarded(CLOSED) as relay:
        headers = {**BEARER, "Origin": "https://relay.example", "Sec-Fetch-Site": "same-origin"}
        assert (await relay.client.post("/api/generate", json={}, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[", "Host": "localhost"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
    ids=str,
)
async def test_pages_of_other_origins_neither_read_nor_write(headers: dict[str, str]) -> None:
    async with guarded() as relay, guarded(CLOSED) as closed:
        for server, shown in ((relay, {}), (closed, BEARER)):
            for method, path in (("GET", "/api/queue"), ("POST", "/api/generate"), ("POST", "/login")):
                response = await server.client.request(method, path, headers={**headers, **shown})
                assert response.status_code == 403
                assert response.json() == {"error": "Pages of this origin may not use the relay."}
                assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_link_on_another_page_opens_the_relays() -> None:
    async with guarded() as relay:
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert (await relay.client.get("/", headers=link)).status_code == 200
        assert (await relay.client.post("/api/generate", headers=link)).status_code == 403


async def test_a_page_of_an_allowed_origin_reads_and_writes() -> None:
    async with guarded(ALLOWING) as relay:
        headers = {"Origin": APP, "Sec-Fetch-Site": "cross-site"}
        for response in (
            await relay.client.get("/api/queue", headers=headers),
            await relay.client.post("/api/generate", json={}, headers=headers),
            await relay.client.get("/api/unknown", headers=headers),
        ):
            assert response.headers["Access-Control-Allow-Origin"] == APP
            assert response.headers["Vary"] == "Origin, Referer"
            assert response.headers["Access-Control-Expose-Headers"] == "ETag, Retry-After"
            assert "Access-Control-Allow-Credentials" not in response.headers
        async with relay.client.stream("GET", "/api/generate/progress", headers=headers) as stream:
            assert stream.headers["Access-Control-Allow-Origin"] == APP


async def test_an_allowed_origin_still_needs_the_token() -> None:
    async with guarded(RelayOptions(port=0, token=TOKEN, allowed_origins=(APP,))) as relay:
        refused = await relay.client.get("/api/queue", headers={"Origin": APP})
        assert refused.status_code == 401
        assert refused.headers["Access-Control-Allow-Origin"] == APP, "The page can read why"
        assert (await relay.client.get("/api/queue", headers={"Origin": APP, **BEARER})).status_code == 200


async def test_an_answer_varies_by_origin_even_for_others() -> None:
    async with guarded(ALLOWING) as relay:
        response = await relay.client.get("/api/queue")
        assert response.headers["Vary"] == "Origin, Referer"
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_page_varies_by_its_compression_too() -> None:
    async with SimServer(SimConfig()) as sim, running_relay(sim.url, options=ALLOWING) as relay:
        response = await relay.client.get("/", headers={"Accept-Encoding": "gzip"})
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Vary"] == "Accept-Encoding, Origin, Referer"


IMAGE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}


@pytest.mark.parametrize("path", ["/api/view/p1/0?width=64", "/api/preview/p1"])
async def test_a_page_of_an_allowed_origin_shows_images(path: str) -> None:
    async with guarded(ALLOWING) as relay:
        for sent in (IMAGE, {}):  # A browser that reaches the relay by plain HTTP over a network sends no Sec-Fetch.
            response = await relay.client.get(path, headers={**sent, "Referer": f"{APP}/"})
            assert response.status_code == 200
            assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
            assert response.headers["Vary"] == "Origin, Referer", "a cache must not give it to another page"
            assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"Referer": "https://evil.example/"},
        {"Referer": f"https://evil.example/{APP}"},
        {"Referer": f"{APP}.evil.example/"},
        {"Referer": "http://app.example/"},
        {"Referer": "https://["},
        {"Referer": f"{APP}/", "Origin": "null"},
        {"Referer": f"{APP}/", "Origin": "https://evil.example"},
    ],
    ids=str,
)
async def test_other_pages_show_no_images(page: dict[str, str]) -> None:
    async with guarded(ALLOWING) as relay:
        response = await relay.client.get("/api/view/p1/0", headers={**IMAGE, **page})
        assert response.status_code == 403
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        if "Origin" not in page:  # As a browser that sends no Sec-Fetch: the policy keeps the image from the page.
            response = await relay.client.get("/api/view/p1/0", headers=page)
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_nothing_but_images_is_given_to_an_allowed_page_that_sends_no_origin() -> None:
    async with guarded(ALLOWING) as relay:
        headers = {**IMAGE, "Referer": f"{APP}/"}
        for method, path in (("GET", "/api/queue"), ("GET", "/"), ("POST", "/api/generate"), ("POST", "/api/view/a/0")):
            assert (await relay.client.request(method, path, headers=headers)).status_code == 403


async def test_an_image_still_needs_the_token() -> None:
    async with guarded(RelayOptions(port=0, token=TOKEN, allowed_origins=(APP,))) as relay:
        headers = {**IMAGE, "Referer": f"{APP}/"}
        assert (await relay.client.get("/api/view/p1/0", headers=headers)).status_code == 401
        shown = await relay.client.get("/api/view/p1/0", params={"token": TOKEN}, headers=headers)
        assert (shown.status_code, shown.headers["Cross-Origin-Resource-Policy"]) == (200, "cross-origin")


def _preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }


async def test_the_preflight_of_an_allowed_origin_needs_no_token() -> None:
    async with guarded(RelayOptions(port=0, token=TOKEN, allowed_origins=(APP,))) as relay:
        response = await relay.client.options("/api/generate", headers=_preflight(APP))
        assert response.status_code == 204
        assert response.headers["Access-Control-Allow-Origin"] == APP
        allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"authorization", "content-type", "idempotency-key", "if-none-match", "last-event-id"} == set(allowed)
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert response.headers["Vary"] == "Origin, Referer"


async def test_other_preflights_are_refused() -> None:
    async with guarded(ALLOWING) as relay, guarded() as closed:
        for server in (relay, closed):
            response = await server.client.options("/api/generate", headers=_preflight("https://evil.example"))
            assert response.status_code == 403
            assert not [name for name in response.headers if name.startswith("access-control")]
