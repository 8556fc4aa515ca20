"""The comfytuis of a soak: each a process of its own, killed and started again."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Crowd:
    """Children on one server and one folder; `faults` are those of their own that they told."""

    def __init__(self, url: str, folder: Path) -> None:
        self._command = (sys.executable, "-W", "ignore", "-m", "tests.soak.client_process", url, str(folder))
        self._children: list[tuple[Process, asyncio.Task[None]]] = []
        self.faults: list[str] = []
        self.kills = 0

    def __len__(self) -> int:
        return len(self._children)

    async def start(self) -> None:
        """Start one more and wait until it takes orders."""
        child = await asyncio.create_subprocess_exec(*self._command, cwd=ROOT, stdin=PIPE, stdout=PIPE)
        assert child.stdout
        assert await child.stdout.readline() == b"ready\n"
        self._children.append((child, asyncio.create_task(self._listen(child.stdout))))

    async def _listen(self, said: asyncio.StreamReader) -> None:
        while line := await said.readline():
            self.faults.append(line.decode().strip())

    def order(self, number: int, images: int, seed: int) -> None:
        """Order a batch from one of them."""
        child, _ = self._children[number % len(self._children)]
        assert child.stdin
        child.stdin.write(f"{images} {seed}\n".encode())

    async def kill(self, number: int) -> None:
        """Kill one of them at this very moment."""
        child, listening = self._children.pop(number % len(self._children))
        self.kills += 1
        child.kill()
        await child.wait()
        await listening

    async def suspend(self, number: int, seconds: float) -> None:
        """Stop one of them where it stands, and let it go on after a while: a lid that is closed."""
        child, _ = self._children[number % len(self._children)]
        child.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            child.send_signal(signal.SIGCONT)

    async def stop(self, number: int) -> None:
        """Let one of them leave in order."""
        child, listening = self._children.pop(number % len(self._children))
        assert child.stdin
        child.stdin.close()
        await child.wait()
        await listening

    async def end(self) -> None:
        """Kill all."""
        while self._children:
            await self.kill(0)
