"""The relay runs its session as long as it serves."""

from comfytui.session.model import JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.headless.relay.running import running_relay
from tests.waiting import eventually


async def test_the_relays_session_runs_jobs() -> None:
    async with SimServer(SimConfig(steps_per_second=50, load_seconds=0.1)) as sim, running_relay(sim.url) as relay:
        await relay.live()
        await relay.submit(model=sim.config.checkpoints[0])
        await eventually(
            lambda: [job.status for job in relay.state.jobs.values()] == [JobStatus.SUCCEEDED], "the image"
        )
