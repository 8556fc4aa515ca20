"""The connection on the screen: reconnecting, invalid frames, internal errors, unconfirmed state."""

import json
from dataclasses import replace

import pytest
from aiohttp import WSMsgType

from comfytui.service.connection.poller import Poller
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.workflow.graph import workflow_of
from tests.faults.proxy import proxy_to
from tests.sim.graphs import text_to_image
from tests.timings import timings
from tests.ui.screen import PATIENT, screen

QUICK = SimConfig(steps_per_second=0, load_seconds=0)


async def test_ctrl_r_reconnects_at_once() -> None:
    rarely = timings(PATIENT, socket={"first_delay": 600.0, "longest_delay": 600.0})
    async with SimServer(QUICK) as sim, proxy_to(sim.url) as proxy, screen(proxy.url, timings=rarely) as it:
        await it.shows("● live")
        for focused in ("prompt", "steps", "queue-rows"):
            proxy.reset_connections(websockets_only=True)  # A request that is reset too has the socket renewed at once.
            await it.shows("polling every")
            if focused == "queue-rows":
                await it.press("escape")
            else:
                it.app.screen.query_one(f"#{focused}").focus()
            await it.press("ctrl+r")
            await it.shows("● live")


async def send_raw(sim: SimServer, *frames: bytes) -> None:
    """Send text frames to everybody, whatever bytes they hold."""
    for socket in sim.sockets.clients.values():
        for frame in frames:
            assert socket._writer is not None
            await socket._writer.send_frame(frame, WSMsgType.TEXT)


async def test_invalid_utf8_frames_are_harmless_and_readable_part_is_shown() -> None:
    workflow = workflow_of("small", text_to_image(steps=10_000))
    async with SimServer(replace(QUICK, steps_per_second=10)) as sim, screen(sim.url, workflow=workflow) as it:
        await it.shows("● live")
        await it.write("images", "1")
        await it.press("f5")
        await it.shows("Image 1 of 1 - Step")
        (body,) = sim.submitted
        error = {"prompt_id": body["prompt_id"], "node_id": "3", "exception_message": "no MARK left"}
        frame = json.dumps({"type": "execution_error", "data": error}).encode()
        await send_raw(sim, b"\xff\xfe\x80", frame[:-30] + b"\xff", frame.replace(b"MARK", b"f\xc3ox"))
        await it.shows("no f\N{REPLACEMENT CHARACTER}ox left")
        await it.shows("0 of 1 done, 1 failed")
        assert "● live" in it.text


async def test_internal_error_is_reported_with_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(*_: object) -> None:
        raise RuntimeError("a fault")

    async with SimServer(QUICK) as sim, screen(sim.url, (200, 60)) as it:
        await it.shows("● live")
        monkeypatch.setattr(Poller, "poll", breaks)
        await it.press("ctrl+r")
        await it.shows("a fault. It")
        await it.shows("a fault. ctrl+r")


@pytest.mark.parametrize("columns", [80, 160])
async def test_unconfirmed_state_is_shown_as_last_seen(columns: int) -> None:
    slow = replace(QUICK, steps_per_second=4)
    async with SimServer(slow) as sim, proxy_to(sim.url) as proxy, screen(proxy.url, (columns, 40)) as it:
        await it.shows("dreamshaper_8" if columns > 100 else "● live")
        await it.generate(images="2", steps="2000")
        await it.shows("Image 1 of 2 - Step")
        await it.press("escape")
        assert "as last seen" not in it.text
        assert "VRAM" in it.text
        proxy.go_down()
        proxy.reset_connections()
        await it.shows("─ Queue as last seen ─")
        assert it.text.splitlines()[0].endswith("as last seen")
        assert "VRAM" not in it.text
        await proxy.come_up()
        await it.shows("─ Queue ─")
        await it.shows("VRAM")


async def test_reconnect_is_shown_until_the_server_says_which_one_it_is_and_reads_no_choices_again() -> None:
    slow = replace(QUICK, steps_per_second=4)
    async with SimServer(slow) as sim, proxy_to(sim.url) as proxy, screen(proxy.url, timings=PATIENT) as it:
        await it.shows("dreamshaper_8")
        await it.generate(images="2", steps="2000")
        await it.shows("Image 1 of 2 - Step")
        choices = sim.faults.delay(0.0, "/object_info")
        held = proxy.hold_response_to(b"GET /api/system_stats", times=None)
        await it.press("escape", "ctrl+r")
        await it.shows("○ connecting")
        await it.shows("─ Queue as last seen ─")
        await it.press("l")
        await it.shows("has not said yet which one it is")
        held.release()
        proxy.remove_rules()
        await it.shows("● live")
        await it.shows("─ Queue ─")
        assert choices.hits == 0
