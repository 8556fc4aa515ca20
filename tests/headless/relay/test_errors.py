"""Errors as clients get them, and the headers of every response."""

import asyncio
import logging

import pytest

from comfytui.headless.relay.limits import STREAM_PATH
from tests.headless.relay.guarded import CLOSED, Guarded, guarded


async def test_errors_are_json() -> None:
    async with guarded() as relay:
        missing = await relay.client.get("/api/nothing")
        assert (missing.status_code, missing.json()) == (404, {"error": "There is nothing at this path."})
        assert missing.headers["Content-Type"] == "application/json"
        wrong = await relay.client.delete("/api/queue")
        assert (wrong.status_code, wrong.json()) == (405, {"error": "This path does not accept this method."})
        assert wrong.headers["Allow"] == "GET,HEAD"
        assert (await relay.client.head("/api/nothing")).status_code == 404


async def test_an_expectation_is_not_quoted() -> None:
    async with guarded() as relay, guarded(CLOSED) as closed:
        for server, path in ((relay, "/api/queue"), (relay, "/api/nothing"), (closed, "/api/queue")):
            response = await server.client.get(path, headers={"Expect": "tea"})
            assert (response.status_code, response.json()) == (417, {"error": "This expectation cannot be met."})
            assert response.headers["Content-Type"] == "application/json"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        met = await relay.client.post("/api/generate", json={}, headers={"Expect": "100-continue"})
        assert met.status_code == 200


async def test_a_handler_says_what_is_wrong() -> None:
    async with guarded() as relay:
        response = await relay.client.get("/api/conflict")
        assert (response.status_code, response.json()) == (409, {"error": "This job has ended."})
        assert response.headers["Retry-After"] == "7"


async def test_a_handler_that_fails_tells_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    async with guarded() as relay:
        response = await relay.client.get("/api/failure?x=visible")
        assert (response.status_code, response.json()) == (500, {"error": "The relay failed; its log says why."})
        assert "RuntimeError: no luck" in caplog.text
        assert (await relay.client.get("/api/queue")).status_code == 200


async def test_a_response_that_breaks_off_is_not_completed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    async with guarded() as relay:
        answer = await relay.send(f"GET /api/broken HTTP/1.1\r\nHost: {relay.host}\r\n\r\n".encode())
        assert b"the beginning" in answer
        assert b"error" not in answer
        assert not answer.endswith(b"0\r\n\r\n")
        assert "RuntimeError: no luck" in caplog.text


async def _headers_of(relay: Guarded, path: str) -> dict[str, str]:
    async with asyncio.timeout(30), relay.client.stream("GET", path) as response:
        return dict(response.headers)


async def test_every_response_has_security_headers() -> None:
    async with guarded() as relay, guarded(CLOSED) as closed:
        for path in ("/", "/page.js", "/healthz", "/api/queue", "/api/nothing", "/api/failure", STREAM_PATH):
            for server in (relay, closed):
                headers = await _headers_of(server, path)
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["referrer-policy"] == "no-referrer"
                assert headers["x-frame-options"] == "DENY"
                assert headers["cross-origin-resource-policy"] == "same-origin"
                policy = headers["content-security-policy"].split("; ")
                assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
                assert "sandbox" in policy, "Only the real page has another policy"
                assert "unsafe" not in headers["content-security-policy"]
                assert headers["server"] == "comfytui"
