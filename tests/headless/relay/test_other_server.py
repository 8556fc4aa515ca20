"""A different server takes the address of the known one: the relay says so, and sends it nothing."""

import signal
from pathlib import Path

import httpx

from comfytui.sim.server import SimServer
from tests.cli.commands import MODEL, QUICK, command, ended
from tests.sim.test_restart import OTHER_SERVER
from tests.waiting import TIMEOUT

OTHER = "Another server than the known ComfyUI answers at its address"
UNKNOWN = "it is not known whether there is"


async def test_a_relay_says_that_another_server_answers_and_sends_it_nothing(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim, httpx.AsyncClient(trust_env=False, timeout=TIMEOUT) as client:
        assert (await ended(tmp_path, "run", sim.url, "--set", "steps=1")).code == 0
        async with command(tmp_path, "relay", sim.url, "--port", "0") as relay:
            assert relay.process.stderr
            url = (await relay.process.stderr.readline()).decode().split()[-1]
            (prompt_id,) = (await client.get(f"{sim.url}/history")).json()
            file = f"{url}/api/view/{prompt_id}/0"
            stream = await client.get(f"{url}/api/generate/progress", params={"promptId": prompt_id})
            assert "event: done" in stream.text
            assert (await client.get(file)).status_code == 200
            await sim.restart(OTHER_SERVER, new_disk=True)
            await relay.error_until("Another server than before answers at 127.0.0.1:")
            answer = await client.post(f"{url}/api/generate", json={"values": {"model": MODEL, "prompt": "a fox"}})
            assert (answer.status_code, answer.json()["saved"]) == (503, True)
            assert answer.json()["error"].startswith(OTHER)
            answer = await client.post(f"{url}/api/jobs/nobody/cancel")
            assert (answer.status_code, answer.json()["error"]) == (503, f"{OTHER}: {UNKNOWN} such a job.")
            answer = await client.get(f"{url}/api/progress?batchId=none")
            assert (answer.status_code, answer.json()["error"]) == (503, f"{OTHER}: {UNKNOWN} such a batch.")
            for path in (file, f"{file}?width=64"):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()["error"]) == (503, f"{OTHER}.")
            refused = await ended(tmp_path, "run", sim.url, "--set", "steps=1")
            assert (refused.code, refused.out) == (1, "")
            assert (await client.get(f"{sim.url}/history")).json() == {}
            assert (await client.get(f"{sim.url}/queue")).json() == {"queue_running": [], "queue_pending": []}
            assert (await relay.end(signal.SIGTERM)).code == 0
