"""A real nginx in front of the simulator, in common set-ups: all works through it, and its faults heal."""

import io
import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ServerError
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import Closed, Opened
from comfytui.comfy.websocket.event_stream import stream_events
from comfytui.session.model import Batch, JobStatus, LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.timings import SocketTimings
from comfytui.ui.screens.login import authorization
from tests.comfy.test_tls import OPENSSL, make_pem
from tests.live.nginx import NGINX, Nginx, nginx_before
from tests.shown_run import step_of
from tests.waiting import eventually
from tests.watcher import Watcher, watching

pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx is installed here")

STEADY = SimConfig(steps_per_second=50, load_seconds=0)
MODEL = STEADY.checkpoints[0]
PREFIX = "/user/x/proxy/8188/"
SHORT_TIMEOUTS = "proxy_read_timeout 5s; proxy_send_timeout 5s; keepalive_timeout 5s;"


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(STEADY) as server:
        yield server


@pytest.fixture
def basic(tmp_path: Path) -> str:
    """Directives that let only one user in."""
    users = tmp_path / "users"
    users.write_text("me:{PLAIN}right\n")
    return f'auth_basic "ComfyUI"; auth_basic_user_file {users};'


def as_user(nginx: Nginx, user: str) -> Server:
    return Server.from_url(nginx.url.replace("://", f"://{user}@"))


@asynccontextmanager
async def live(server: Server) -> AsyncIterator[Watcher]:
    async with watching(server) as watcher:
        await watcher.live()
        yield watcher


async def check_batch(watcher: Watcher, batch: Batch, sim: SimServer) -> None:
    """Wait for the end of a batch, and check that each prompt was sent once and has an image."""
    jobs = await watcher.until(batch)
    assert [job.status for job in jobs] == [JobStatus.SUCCEEDED] * batch.total
    assert [body["prompt_id"] for body in sim.submitted] == list(batch.prompt_ids)
    # Where the frame of it was missed, the end is known a moment before the history, and so the image, is read.
    await eventually(lambda: all(job.outputs for job in watcher.jobs(batch)), "the images")
    async with ComfyClient(watcher.service.server) as client:
        for job in watcher.jobs(batch):
            image = Image.open(io.BytesIO(await client.view(job.outputs[0])))
            assert image.size == (64, 64)


async def test_basic_auth_accepts_the_right_password(sim: SimServer, tmp_path: Path, basic: str) -> None:
    async with nginx_before(sim.url, tmp_path, directives=basic) as nginx, live(as_user(nginx, "me:right")) as watcher:
        await check_batch(watcher, await watcher.submit(2, model=MODEL), sim)
        assert nginx.answered(401) == []


@pytest.mark.parametrize(("user", "reason"), [("me:wrong", "refused this login"), ("", "asks for a login")])
async def test_rejected_credentials_are_explained_and_not_sent_again(
    sim: SimServer, tmp_path: Path, basic: str, user: str, reason: str
) -> None:
    async with nginx_before(sim.url, tmp_path, directives=basic) as nginx:
        server = as_user(nginx, user) if user else Server.from_url(nginx.url)
        async with watching(server) as outside:
            await eventually(lambda: outside.state.link.kind is LinkKind.UNAUTHORISED, "the refusal")
            assert reason in outside.state.link.reason
            assert "log in when comfytui asks" in outside.state.link.reason
            assert "wrong" not in outside.state.link.reason
            async with live(as_user(nginx, "me:right")) as inside:
                await check_batch(inside, await inside.submit(2, model=MODEL), sim)
                rejected = len(nginx.answered(401))
                await inside.until(await inside.submit(2, model=MODEL, steps=100))
            assert len(nginx.answered(401)) == rejected
            outside.service.reconnect()
            await eventually(lambda: len(nginx.answered(401)) > rejected, "another try, since the user wants it")
            rejected = len(nginx.answered(401))
            outside.service.log_in(authorization("me", "right", ""))
            await outside.live()
            jobs = await outside.until(await outside.submit(2, model=MODEL))
            assert [job.status for job in jobs] == [JobStatus.SUCCEEDED] * 2
            assert len(nginx.answered(401)) <= rejected + 1  # the poll that the retry caused


async def test_all_requests_go_below_the_servers_path(sim: SimServer, tmp_path: Path) -> None:
    async with nginx_before(sim.url, tmp_path, path=PREFIX) as nginx:
        async with live(Server.from_url(nginx.url)) as watcher:
            await check_batch(watcher, await watcher.submit(2, model=MODEL), sim)
        paths = [line.split()[2] for line in nginx.answered()]
        assert paths
        assert all(path.startswith(PREFIX) for path in paths)


@pytest.mark.skipif(not OPENSSL, reason="makes its certificate with openssl")
async def test_a_certificate_of_ones_own_is_accepted_with_ca(sim: SimServer, tmp_path: Path, basic: str) -> None:
    pem = make_pem(tmp_path, "-nodes")
    async with nginx_before(sim.url, tmp_path, path=PREFIX, directives=basic, pem=pem) as nginx:
        server = replace(as_user(nginx, "me:right"), ca=pem)
        async with live(server) as watcher:
            await check_batch(watcher, await watcher.submit(2, model=MODEL), sim)
        async with watching(Server.from_url(nginx.url)) as watcher:
            await eventually(lambda: "give --ca FILE" in watcher.state.link.reason, "what is wrong")


async def test_without_upgrades_the_whole_batch_works_over_http(sim: SimServer, tmp_path: Path) -> None:
    async with (
        nginx_before(sim.url, tmp_path, upgrade="") as nginx,
        watching(Server.from_url(nginx.url)) as watcher,
    ):
        await eventually(lambda: watcher.state.link.kind is LinkKind.POLLING, "polling")
        await check_batch(watcher, await watcher.submit(3, model=MODEL, steps=100), sim)
        assert watcher.state.link.kind is LinkKind.POLLING
        assert LinkKind.LIVE not in {state.link.kind for state in watcher.states}


async def until_closed(server: Server, client_id: str) -> None:
    """Read an idle socket without pings until it is closed."""
    async with aclosing(stream_events(server, client_id, timings=SocketTimings(ping_interval=600))) as stream:
        assert await anext(stream) == Opened()
        async for event in stream:
            if isinstance(event, Closed):
                return


async def test_pings_keep_a_socket_that_nginx_would_close_as_idle(sim: SimServer, tmp_path: Path) -> None:
    async with (
        nginx_before(sim.url, tmp_path, directives=SHORT_TIMEOUTS) as nginx,
        live(Server.from_url(nginx.url)) as watcher,
    ):
        for client_id in ("first", "second"):
            await until_closed(watcher.service.server, client_id)
        await check_batch(watcher, await watcher.submit(2, model=MODEL), sim)
        states = [state.link.kind for state in watcher.states]
        assert set(states[states.index(LinkKind.LIVE) :]) == {LinkKind.LIVE}


async def test_a_socket_that_nginx_closes_since_the_server_is_busy_recovers(sim: SimServer, tmp_path: Path) -> None:
    async with (
        nginx_before(sim.url, tmp_path, directives=SHORT_TIMEOUTS) as nginx,
        live(Server.from_url(nginx.url)) as watcher,
    ):
        batch = await watcher.submit(2, model=MODEL, steps=200)
        await eventually(lambda: step_of(watcher.state) > 2, "a step")
        sim.faults.block_loop()
        await eventually(lambda: watcher.state.link.kind is not LinkKind.LIVE, "the reset")
        sim.faults.unblock_loop()
        await check_batch(watcher, batch, sim)
        fractions = [each.batch_fraction for each in watcher.seen(batch)]
        assert fractions == sorted(fractions)
        await watcher.live()


async def test_a_restart_of_nginx_in_the_middle_of_a_batch_loses_nothing(sim: SimServer, tmp_path: Path) -> None:
    async with (
        nginx_before(sim.url, tmp_path) as nginx,
        live(Server.from_url(nginx.url)) as watcher,
    ):
        batch = await watcher.submit(3, model=MODEL, steps=100)
        await eventually(lambda: step_of(watcher.state) > 2, "a step")
        await nginx.stop()
        await eventually(lambda: watcher.state.link.kind is LinkKind.OFFLINE, "the reset")
        await nginx.start()
        await check_batch(watcher, batch, sim)
        await watcher.live()


async def test_batches_are_kept_while_the_server_behind_it_is_down(sim: SimServer, tmp_path: Path) -> None:
    async with (
        nginx_before(sim.url, tmp_path) as nginx,
        live(Server.from_url(nginx.url)) as watcher,
    ):
        await sim.stop()
        await eventually(lambda: "502" in watcher.state.link.reason, "the reason")
        assert watcher.state.link.kind is LinkKind.OFFLINE
        batch = await watcher.submit(2, model=MODEL)
        await eventually(lambda: any(job.note for job in watcher.jobs(batch)), "a note about the delay")
        await sim.start()
        await check_batch(watcher, batch, sim)
        await watcher.live()


async def test_a_prompt_whose_response_is_lost_behind_it_is_not_sent_twice(sim: SimServer, tmp_path: Path) -> None:
    async with (
        nginx_before(sim.url, tmp_path) as nginx,
        live(Server.from_url(nginx.url)) as watcher,
    ):
        held = sim.faults.hold_responses("/prompt", method="POST", processed=True, times=1)
        batch = await watcher.submit(3, model=MODEL)
        await eventually(lambda: sim.submitted, "the first prompt")
        sim.faults.connections.reset()
        held.end()
        await check_batch(watcher, batch, sim)
        assert "502 POST /api/prompt" in nginx.answered()


async def test_limit_on_uploads_is_said_in_words(sim: SimServer, tmp_path: Path) -> None:
    async with nginx_before(sim.url, tmp_path) as nginx, ComfyClient(Server.from_url(nginx.url)) as client:
        assert (await client.upload(bytes(900_000), "small.png")).name == "small.png"
        for size, shown in ((1_100_000, "1.1 MB"), (50_000_000, "50.0 MB")):
            with pytest.raises(ServerError, match=rf"{re.escape(shown)}.* Make it smaller"):
                await client.upload(bytes(size), "large.png")
        await eventually(lambda: len(nginx.answered(413)) == 2, "the log of both")
        assert sim.files.uploads()[-1] == "small.png"
