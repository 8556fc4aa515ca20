"""Child process of `EmbeddedServer`: runs a simulated server until its standard input is closed.

It reads a `SimConfig` as one line of JSON from standard input and prints the server's URL as one line.
"""

import asyncio
import json
import sys
from typing import Any

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer


async def main() -> None:
    """Serve until the parent process closes its end of the pipe."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    settings: dict[str, Any] = json.loads(await reader.readline())
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    async with SimServer(SimConfig(**settings)) as server:
        print(server.url, flush=True)
        await reader.read()


if __name__ == "__main__":
    asyncio.run(main())
