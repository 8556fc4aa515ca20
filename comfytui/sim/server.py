"""The simulated server: assembles its parts, starts and stops them."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.sim.execution.executor import Executor
from comfytui.sim.faults.faults import Faults
from comfytui.sim.files import Files
from comfytui.sim.logs import Logs
from comfytui.sim.machine import Clock, Machine
from comfytui.sim.memory import GIB, Memory
from comfytui.sim.other_clients import run_other_client
from comfytui.sim.queue import PromptQueue
from comfytui.sim.routes.routes import make_app
from comfytui.sim.sockets import Sockets
from comfytui.sim.submit import Submissions
from comfytui.sim.user_data import UserData
from comfytui.sim.workflows import EXAMPLE_NAME, example_image, saved_workflows

SHUTDOWN_SECONDS = 0.2
"""How long to wait for connections that do not close."""
KEPT_BODIES = 100_000
LOGGER = logging.getLogger("comfytui.sim")
LOGGER.addHandler(logging.NullHandler())
LOGGER.propagate = False


class SimServer:
    """A simulated ComfyUI on a real port that runs within `async with`.

    Args:
        config: Settings; the defaults of `SimConfig` if None.
        host: Address to bind.
        port: Port to bind; 0 takes a free one.
        clock: Clock of the runs; a real one if None.
    """

    def __init__(
        self, config: SimConfig | None = None, host: str = "127.0.0.1", port: int = 0, clock: Clock | None = None
    ) -> None:
        self.config = config or SimConfig()
        self.faults = Faults()
        self.accepted: deque[dict[str, Any]] = deque(maxlen=KEPT_BODIES)
        self._host, self._port = host, port
        self._clock = clock or Clock()
        self._server: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._build(self._new_disk())

    def _new_disk(self) -> Files:
        """Return the files of a new machine; those that the editor saved are on its disk, too."""
        self.user_data = UserData()
        files = Files()
        if self.config.has_workflows:
            for path, content in saved_workflows():
                self.user_data.save(f"workflows/{path}", content)
            files.put(("input", "", EXAMPLE_NAME), example_image())
        return files

    def _build(self, files: Files) -> None:
        """Create the parts that a ComfyUI process holds in memory, and that a restart therefore resets."""
        config = self.config
        self.files = files
        self.sockets = Sockets(
            lambda: self.queue.remaining,
            lambda message: self.logs.warning(message),  # noqa: PLW0108 - the logs need the sockets, so they come later
            config.capabilities,
            self.faults,
        )
        self.logs = Logs(self.sockets.send, self.sockets.clients.__contains__)
        self.queue = PromptQueue(self.sockets.send_status)
        memory = Memory(config.device, config.card, config.vram_gib * GIB, config.ram_gib * GIB)
        self.machine = Machine(config, files, self.logs, memory, self._clock, rng=random.Random(config.seed))
        nodes = catalogue(config)
        self.executor = Executor(self.machine, self.queue, self.sockets, nodes)
        self.submissions = Submissions(self.queue, nodes, files, self.logs, config.capabilities)

    @property
    def url(self) -> str:
        """The server's URL, without a trailing slash."""
        return f"http://{self._host}:{self._port}"

    @property
    def submitted(self) -> list[dict[str, Any]]:
        """The bodies of all accepted `POST /prompt` requests, oldest first, including those before a restart."""
        return list(self.accepted)

    async def start(self) -> None:
        """Start serving.

        Raises:
            OSError: If the port is in use.
        """
        self._runner = web.AppRunner(make_app(self), access_log=None, logger=LOGGER, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        assert self._runner.server is not None
        factory = self.faults.connections.wrap(self._runner.server)
        try:
            self._server = await asyncio.get_running_loop().create_server(factory, self._host, self._port)
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._server.sockets[0].getsockname()[1]
        self.logs.banner(self.config.like, self.url)
        workers = [self.sockets.publish(), *(self.executor.run() for _ in range(self.config.workers))]
        workers += [
            run_other_client(self.submissions, self.queue, self.config, n) for n in range(self.config.other_clients)
        ]
        self._tasks = [asyncio.create_task(worker) for worker in workers]

    async def stop(self, *, killed: bool = False) -> None:
        """Stop serving; the server's state stays readable.

        Args:
            killed: Reset all connections, like a killed process, instead of sending close frames.
        """
        if self._server is not None:
            self._server.close()
        if killed:
            self.faults.connections.reset()
        self.faults.unblock_loop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sockets.close_all()
        if self._runner is not None:
            await self._runner.cleanup()
        self._server = self._runner = None
        self.faults.discard_postponed()

    async def restart(self, config: SimConfig | None = None, *, new_disk: bool = False) -> None:
        """Restart on the same port, losing queue and history; a running server is killed first.

        Args:
            config: New settings, as of another machine; the same as before if None.
            new_disk: Start without the saved files.
        """
        await self.stop(killed=True)
        self.config = config or self.config
        self._build(self._new_disk() if new_disk else self.files.after_restart())
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def serve(config: SimConfig, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Run a server until cancelled.

    Args:
        config: Settings of the server.
        host: Address to bind.
        port: Port to bind; 0 takes a free one.
        ready: Called with the server's URL once it accepts connections.

    Raises:
        OSError: If the port is in use.
    """
    async with SimServer(config, host, port) as server:
        ready(server.url)
        await asyncio.Event().wait()
