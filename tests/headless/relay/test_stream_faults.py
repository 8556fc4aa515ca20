"""What clients of the stream get while the connection to ComfyUI, ComfyUI or the relay fails."""

from pathlib import Path

from comfytui.session.model import LinkKind
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.faults.proxy import proxy_to
from tests.headless.relay.running import running_relay
from tests.headless.relay.sse import STREAM, streaming
from tests.timings import FAST, timings
from tests.waiting import eventually

CONFIG = SimConfig(steps_per_second=20, load_seconds=0.1)
MODEL = CONFIG.checkpoints[0]


async def test_without_a_websocket_progress_goes_on_by_polling_and_tells_no_steps() -> None:
    async with SimServer(CONFIG) as sim, proxy_to(sim.url) as proxy, running_relay(proxy.url) as relay:
        proxy.strip_upgrades()
        batch = await relay.submit(2, model=MODEL, steps=20)
        async with streaming(relay, batchId=batch) as client:
            await eventually(lambda: client.of("progress")[-1:] and client.events[-1]["link"] == "polling", "polling")
            end = await client.ended()
    polled = [event for event in client.of("progress") if event["link"] == "polling"]
    unknown = ("currentStep", "totalSteps", "percentage", "imageFraction", "rate", "phase")
    assert all(event[name] is None for event in polled for name in unknown)
    assert {event["status"] for event in polled} >= {"running"}
    assert {event["imageIndex"] for event in polled} == {1, 2}
    assert (end["event"], len(end["outputs"])) == ("done", 2)


async def test_a_websocket_that_is_lost_in_the_middle_is_replaced_by_polling() -> None:
    async with SimServer(CONFIG) as sim, proxy_to(sim.url) as proxy, running_relay(proxy.url) as relay:
        await relay.live()
        batch = await relay.submit(2, model=MODEL, steps=30)
        async with streaming(relay, batchId=batch) as client:
            await eventually(lambda: any(event["currentStep"] for event in client.of("progress")), "a step")
            proxy.strip_upgrades()
            proxy.reset_connections()
            end = await client.ended()
    assert {"live", "polling"} <= {event["link"] for event in client.of("progress")}
    assert [event["imageIndex"] for event in client.of("image")] == [1, 2]
    assert end["event"] == "done"


async def test_jobs_that_a_restarted_comfyui_forgot_end_as_lost() -> None:
    async with SimServer(CONFIG) as sim, running_relay(sim.url) as relay:
        await relay.live()
        batch = await relay.submit(2, model=MODEL, steps=20)
        async with streaming(relay, batchId=batch) as client, streaming(relay) as all_of_mine:
            await client.got("image")
            await eventually(
                lambda: client.events[-1].get("currentStep") and client.events[-1]["imageIndex"] == 2, "a step"
            )
            await sim.restart()
            end = await client.ended()
            await all_of_mine.got("lost")
            later = await relay.submit(model=MODEL)
            assert (await all_of_mine.got("done"))["batchId"] == later
    assert (end["event"], end["counts"]) == ("lost", {"done": 1, "lost": 1})
    assert [(event["imageIndex"], event["status"]) for event in client.of("image")] == [(1, "done"), (2, "lost")]


async def test_a_job_of_an_earlier_relay_is_known_as_soon_as_the_journal_is_read(tmp_path: Path) -> None:
    async with SimServer(CONFIG) as sim:
        async with running_relay(sim.url, folder=tmp_path) as relay:
            await relay.live()
            batch = await relay.submit(model=MODEL)
            async with streaming(relay, batchId=batch) as client:
                end = await client.ended()
        async with running_relay(sim.url, folder=tmp_path) as relay, streaming(relay, batchId=batch) as client:
            assert (await client.ended())["outputs"] == end["outputs"]
            assert client.names == ["image", "done"]


async def test_while_comfyui_is_away_nobody_knows_whether_there_is_such_a_job() -> None:
    impatient = timings(FAST, relay={"known": 0.3})
    async with (
        SimServer(CONFIG) as sim,
        proxy_to(sim.url) as proxy,
        running_relay(proxy.url, timings=impatient) as relay,
    ):
        await relay.live()
        proxy.go_down()
        proxy.reset_connections()
        await eventually(lambda: relay.state.unobserved_since is not None, "the end of the link")
        response = await relay.client.get(STREAM, params={"promptId": "unknown"})
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")


async def test_only_a_client_from_before_a_restart_is_told_what_ended_before(tmp_path: Path) -> None:
    async with SimServer(CONFIG) as sim:
        async with running_relay(sim.url, folder=tmp_path) as relay:
            async with streaming(relay) as client:
                batch = await relay.submit(model=MODEL)
                await client.got("progress")
            await eventually(lambda: all(job.status.ended for job in relay.state.jobs.values()), "the end")
        async with (
            running_relay(sim.url, folder=tmp_path) as relay,
            streaming(relay, client.ids[-1]) as again,
            streaming(relay) as new,
        ):
            await again.got("done")
            assert [(event["event"], event["batchId"]) for event in again.events] == [("image", batch), ("done", batch)]
            await relay.live()
            later = await relay.submit(model=MODEL)
            await new.got("done")
            assert {event["batchId"] for event in new.events} == {later}


async def test_a_server_that_refused_the_login_for_a_while_is_found_again() -> None:
    quick = timings(FAST, relay={"login": 0.1})
    async with SimServer(CONFIG) as sim, running_relay(sim.url, timings=quick) as relay:
        refused = sim.faults.fail(401)
        await eventually(lambda: relay.state.link.kind is LinkKind.UNAUTHORISED, "the refusal")
        seen = refused.hits
        await eventually(lambda: refused.hits > seen, "the next attempt")
        refused.end()
        await relay.live()
        batch = await relay.submit(model=MODEL)
        async with streaming(relay, batchId=batch) as client:
            assert (await client.ended())["event"] == "done"
