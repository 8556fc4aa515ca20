"""The simulated server: its parts put together, started and stopped."""

import asyncio
import logging
import random
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from comfytui.sim.box import Box
from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.sim.executor import Executor
from comfytui.sim.files import Files
from comfytui.sim.foreign import foreign_client
from comfytui.sim.logs import Logs
from comfytui.sim.memory import GIB, Memory
from comfytui.sim.pace import Pace
from comfytui.sim.queue import PromptQueue
from comfytui.sim.routes import make_app
from comfytui.sim.sockets import Sockets
from comfytui.sim.submit import Submissions

SHUTDOWN_SECONDS = 0.2
"""Patience with connections that do not close."""
SILENT = logging.getLogger("comfytui.sim")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


class SimServer:
    """A simulated ComfyUI on a real port, alive within `async with`; `port` 0 takes a free one."""

    def __init__(
        self, config: SimConfig | None = None, host: str = "127.0.0.1", port: int = 0, pace: Pace | None = None
    ) -> None:
        self.config = config or SimConfig()
        self._host, self._port = host, port
        self.sockets = Sockets(
            lambda: self.queue.remaining,
            lambda message: self.logs.warning(message),  # noqa: PLW0108 - the logs need the sockets, and come after
            self.config.abilities,
        )
        self.logs = Logs(self.sockets.send, self.sockets.clients.__contains__)
        self.queue = PromptQueue(self.sockets.send_status)
        self.files = Files()
        self.box = Box(
            self.config,
            self.files,
            self.logs,
            Memory(self.config.device, self.config.card, self.config.vram_gib * GIB, self.config.ram_gib * GIB),
            pace or Pace(),
            rng=random.Random(self.config.seed),
        )
        nodes = catalogue(self.config)
        self.executor = Executor(self.box, self.queue, self.sockets, nodes)
        self.submissions = Submissions(self.queue, nodes, self.files, self.logs, self.config.abilities)
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Where the server answers, without a slash at the end."""
        return f"http://{self._host}:{self._port}"

    @property
    def submitted(self) -> list[dict[str, Any]]:
        """The newest bodies of `POST /prompt`, oldest first."""
        return list(self.submissions.bodies)

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(make_app(self), access_log=None, logger=SILENT, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        self.logs.banner(self.config.like, self.url)
        workers = [self.sockets.publish(), self.executor.run()]
        workers += [
            foreign_client(self.submissions, self.queue, self.config, n) for n in range(self.config.foreign_clients)
        ]
        self._tasks = [asyncio.create_task(worker) for worker in workers]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sockets.close_all()
        if self._runner is not None:
            await self._runner.cleanup()


async def serve(config: SimConfig, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Run a server until cancelled, calling `ready` with its URL once it answers; OSError when the port is taken."""
    async with SimServer(config, host, port) as server:
        ready(server.url)
        await asyncio.Event().wait()
