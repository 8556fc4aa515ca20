"""The recorded scenarios, which wait for conditions where the recorded client slept."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.sim.replay import Replay
from tests.waiting import eventually

Scenario = Callable[[Replay], Awaitable[None]]
EARLIER_SUCCESSES, EARLIER_FAILURES = 29, 4
"""Jobs that the real server had run before `http_surface` was recorded, apart from the last three recordings."""


async def three_sequential_cold_then_warm(replay: Replay) -> None:
    await replay.open()
    await replay.request()
    await replay.start()
    await replay.request(3)
    await replay.finish(*replay.submitted)


async def fully_cached(replay: Replay) -> None:
    await replay.open()
    for place in range(2):
        await replay.request()
        await replay.finish(replay.submitted[place])


async def one_prompt(replay: Replay) -> None:
    await replay.open()
    await replay.request()
    await replay.finish(*replay.submitted)


async def legacy_previews(replay: Replay) -> None:
    await replay.open(flags=False)
    await replay.request()
    await replay.finish(*replay.submitted)


async def two_samplers(replay: Replay) -> None:
    await one_prompt(replay.on("latent_batch_of_two"))
    await one_prompt(replay)


async def interrupted(replay: Replay) -> None:
    await replay.open()
    await replay.request()
    await replay.start()
    await replay.request()
    await replay.steps(15)
    await replay.request()
    await replay.finish(*replay.submitted)


async def pending_deleted(replay: Replay) -> None:
    await replay.open()
    await replay.request(2)
    await replay.start()
    await replay.request(3)
    await replay.finish(replay.submitted[0])
    await replay.request()


async def node_error(replay: Replay) -> None:
    await replay.open()
    await replay.request()
    await replay.start()
    await replay.request()
    await replay.finish(*replay.submitted)


async def validation_errors(replay: Replay) -> None:
    await replay.open()
    await replay.request(6)


async def reconnect_same_client(replay: Replay) -> None:
    await replay.open()
    await replay.request()
    await replay.steps(13)
    await replay.close()
    await replay.steps(10)
    await replay.open()
    await replay.finish(*replay.submitted)


async def reconnect_while_old_socket_lingers(replay: Replay) -> None:
    await replay.open("old")
    await replay.request()
    await replay.steps(9)
    await replay.open("new", like="old")
    await replay.steps(10)
    await replay.close("old")
    await replay.finish(*replay.submitted)


async def bystander_with_logs(replay: Replay) -> None:
    await replay.open("bystander")
    await replay.request(3)
    await replay.start()
    await replay.request()
    await replay.finish(*replay.submitted)


async def front_of_queue_and_clear(replay: Replay) -> None:
    await replay.open()
    await replay.request()
    await replay.start()
    await replay.request(5)
    await replay.finish(replay.submitted[0])


async def http_surface(replay: Replay) -> None:
    await replay.gate.let_all()
    for number in range(EARLIER_SUCCESSES + EARLIER_FAILURES):
        status, _ = replay.server.submissions.submit({"prompt": _tiny_graph(number)})
        assert status == 200
    for name in ("reconnect_while_old_socket_lingers", "bystander_with_logs", "front_of_queue_and_clear"):
        before = replay.on(name)
        await replay.gate.hold()
        await SCENARIOS[name](before)
        for socket in list(before.sockets):
            await before.close(socket)
    await replay.request(len(replay.recording.exchanges))


async def http_workflows(replay: Replay) -> None:
    before_jobs = next(place for place, each in enumerate(replay.recording.exchanges) if each.path == "/prompt")
    await replay.request(before_jobs + 1)
    await replay.start()
    await replay.request(11)
    await replay.gate.let_all()
    last = replay.recording.exchanges[before_jobs + 1].request["prompt_id"]
    await eventually(lambda: last in replay.server.queue.history, "the end of the last job")
    await replay.request(4)


def _tiny_graph(number: int) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "seed": number,
        "steps": 1,
        "delay_ms": 0,
        "fail_at": 1 if number < EARLIER_FAILURES else -1,
    }
    inputs |= {"preview": False, "text": "", "width": 16, "height": 16, "batch_size": 1}
    return {
        "1": {"class_type": "LabSampler", "inputs": inputs},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "comfytui"}},
    }


SCENARIOS: dict[str, Scenario] = {
    "three_sequential_cold_then_warm": three_sequential_cold_then_warm,
    "fully_cached": fully_cached,
    "latent_batch_of_two": one_prompt,
    "two_samplers": two_samplers,
    "interrupted": interrupted,
    "pending_deleted": pending_deleted,
    "node_error": node_error,
    "validation_errors": validation_errors,
    "legacy_previews": legacy_previews,
    "preview_image_output": one_prompt,
    "reconnect_same_client": reconnect_same_client,
    "reconnect_while_old_socket_lingers": reconnect_while_old_socket_lingers,
    "bystander_with_logs": bystander_with_logs,
    "front_of_queue_and_clear": front_of_queue_and_clear,
    "http_surface": http_surface,
    "http_workflows": http_workflows,
}
