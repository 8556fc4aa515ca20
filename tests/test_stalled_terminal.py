"""A terminal that does not read blocks only the program: the server waits for nobody, and no memory piles up."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from comfytui.workflow.builtin import txt2img
from comfytui.workflow.fields import Field
from comfytui.workflow.graph import apply_values
from tests.terminal import F5, terminal
from tests.waiting import TIMEOUT, wait_until

IMAGES, RATE = 4, 40
"""Steps per second. A preview has 80 kB on average: four seconds are 13 MB, and socket buffers hold 4 MB."""
PROMPT_SECONDS = 30.0
"""A status takes milliseconds, behind a few previews at most; a server blocked by a client would never send it."""
GROWTH_MB = 5.0
"""Half the size of the previews after the first image: if they were kept, it would show."""


class OtherClient:
    """Another client of the server, which notices if the server waits for a client."""

    def __init__(self, http: httpx.Client, socket: ClientConnection) -> None:
        self.http, self.socket = http, socket
        self.remaining = 0

    def status_seconds(self) -> float:
        """Return how long a status takes through the server's single queue of frames, by queueing a prompt."""
        graph: Any = apply_values(txt2img(), {Field.PROMPT: "mine"})
        graph["4"]["inputs"]["ckpt_name"] = "dreamshaper_8.safetensors"
        with suppress(TimeoutError):
            while True:
                self._take(0)
        before, began = self.remaining, time.monotonic()
        response = self.http.post("/prompt", json={"prompt": graph, "client_id": "other"})
        assert response.status_code == 200, response.text
        while self.remaining <= before:
            before = min(before, self.remaining)
            self._take(TIMEOUT)
        seconds = time.monotonic() - began
        self.http.post("/queue", json={"delete": [response.json()["prompt_id"]]})
        return seconds

    def _take(self, timeout: float) -> None:
        frame = self.socket.recv(timeout=timeout)
        if isinstance(frame, str) and (message := json.loads(frame))["type"] == "status":
            self.remaining = message["data"]["status"]["exec_info"]["queue_remaining"]

    def get(self, path: str) -> Any:
        return self.http.get(path).json()


def memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def wait_for_images(images: int, other: OtherClient) -> None:
    wait_until(lambda: len(other.get("/history")) >= images, f"image {images}")


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=[pytest.mark.soak, pytest.mark.timeout(300)])])
def test_a_terminal_that_does_not_read_blocks_no_other_client(tmp_path: Path, seconds: int) -> None:
    workflow = tmp_path / "long.json"
    workflow.write_text(json.dumps(apply_values(txt2img(), {Field.STEPS: RATE * seconds // IMAGES})))
    with (
        EmbeddedServer(SimConfig(steps_per_second=RATE, load_seconds=0)) as server,
        httpx.Client(base_url=server.url, timeout=TIMEOUT) as http,
        connect(f"{server.url.replace('http', 'ws')}/ws?clientId=other", max_size=None) as socket,
        terminal(server.url, "--workflow", str(workflow), XDG_STATE_HOME=str(tmp_path)) as it,
    ):
        other = OtherClient(http, socket)
        it.shows("live")
        it.send("a red fox", F5)
        it.shows("Image 1 of 4 - ")
        (running,) = other.get("/queue")["queue_running"]
        assert running[3]["preview_method"] == "auto"
        it.stall()
        waits, memories = [], []
        for images in range(1, IMAGES + 1):
            wait_for_images(images, other)
            waits.append(other.status_seconds())
            memories.append(memory(it.process.pid))
        print(f"a status took {waits} s; memory was {memories} MB")
        assert max(waits) < PROMPT_SECONDS
        assert memories[-1] - memories[0] < GROWTH_MB
        it.shows(f"{IMAGES} of {IMAGES} done")
