"""The clients of a soak: processes that are killed and restarted."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

ROOT = Path(__file__).parents[2]


class ClientPool:
    """Client processes on one server and one journal folder; `faults` are the failures that they reported."""

    def __init__(self, url: str, folder: Path) -> None:
        self._command = (sys.executable, "-W", "ignore", "-m", "tests.soak.client_process", url, str(folder))
        self._children: list[tuple[Process, asyncio.Task[None]]] = []
        self.faults: list[str] = []
        self.kills = 0

    def __len__(self) -> int:
        return len(self._children)

    async def start(self) -> None:
        """Start one more client, and wait until it accepts batches."""
        child = await asyncio.create_subprocess_exec(*self._command, cwd=ROOT, stdin=PIPE, stdout=PIPE)
        assert child.stdout
        assert await child.stdout.readline() == b"ready\n"
        self._children.append((child, asyncio.create_task(self._read_output(child.stdout))))

    async def _read_output(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            self.faults.append(line.decode().strip())

    def submit(self, number: int, images: int, seed: int) -> None:
        """Submit a batch through one of the clients."""
        child, _ = self._children[number % len(self._children)]
        assert child.stdin
        child.stdin.write(f"{images} {seed}\n".encode())

    async def kill(self, number: int) -> None:
        """Kill one of the clients."""
        child, reading = self._children.pop(number % len(self._children))
        self.kills += 1
        child.kill()
        await child.wait()
        await reading

    async def suspend(self, number: int, seconds: float) -> None:
        """Suspend one of the clients for some seconds, like a laptop whose lid is closed."""
        child, _ = self._children[number % len(self._children)]
        child.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            child.send_signal(signal.SIGCONT)

    async def stop(self, number: int) -> None:
        """Stop one of the clients in an orderly way."""
        child, reading = self._children.pop(number % len(self._children))
        assert child.stdin
        child.stdin.close()
        await child.wait()
        await reading

    async def end(self) -> None:
        """Kill all clients."""
        while self._children:
            await self.kill(0)
