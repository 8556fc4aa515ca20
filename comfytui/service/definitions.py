"""The definitions of all node classes of a server, read once a connection."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfytui.comfy.errors import TimedOut, TooLarge, Unreachable
from comfytui.comfy.protocol.definitions_json import Definitions
from comfytui.service.class_definitions import definitions_for
from comfytui.service.connection.stats_reader import server_fingerprint

if TYPE_CHECKING:
    from comfytui.service.backend import Backend
    from comfytui.service.definition_files import DefinitionFiles


@dataclass(frozen=True, slots=True)
class ServerDefinitions:
    """The definitions of a server's node classes."""

    classes: Definitions
    is_current: bool = True
    """False if they are of an earlier connection, since the server cannot be asked now."""


class DefinitionReader:
    """Reads the definitions of all node classes of a server, once for each connection.

    Args:
        files: Keeps them for when the server cannot be asked; None: nothing outlives the process.
    """

    def __init__(self, files: "DefinitionFiles | None" = None) -> None:
        self._files = files
        self._lock = asyncio.Lock()
        self._source: tuple[str, str, int] | None = None
        self._classes: Definitions | None = None

    async def read(
        self, backend: "Backend", class_types: Collection[str] = (), *, fingerprint: str = "", breaks: int = 0
    ) -> ServerDefinitions:
        """Return the definitions that a server has now, else those that it had before.

        Callers at the same time share one request.

        Args:
            backend: The server.
            class_types: The classes that are needed. Those that are missing among all definitions are requested one
                by one; so are all of them if the server sends more definitions than are read.
            fingerprint: That of the known server; empty if any server will do.
            breaks: How often the connection to it broke: it may have other nodes after that.

        Raises:
            ComfyError: The server cannot be asked, and what it had is not known.
        """
        try:
            async with self._lock:
                classes = await self._read_all(backend, fingerprint, breaks, is_required=not class_types)
            missing = [each for each in class_types if each not in classes]
            return ServerDefinitions({**classes, **await definitions_for(backend, missing)} if missing else classes)
        except (Unreachable, TimedOut):
            if (earlier := await self.read_earlier(fingerprint)) is None:
                raise
            return ServerDefinitions(earlier, is_current=False)

    async def _read_all(self, backend: "Backend", known: str, breaks: int, *, is_required: bool) -> Definitions:
        """Return all definitions; none if there are too many, unless these are required."""
        stats = await backend.system_stats()
        fingerprint = server_fingerprint(stats)
        if known and fingerprint != known:
            raise Unreachable("Another server answers at this address.")
        source = (fingerprint, stats.version, breaks)
        if source != self._source or (self._classes is None and is_required):
            classes = None
            try:
                classes = await backend.definitions()
            except TooLarge:
                if is_required:
                    raise
            self._source, self._classes = source, classes
            if self._files is not None and classes is not None:
                # Nobody waits for the disk; the loop does at its end.
                asyncio.get_running_loop().run_in_executor(None, self._files.write, fingerprint, stats.version, classes)
        return self._classes or {}

    async def read_earlier(self, fingerprint: str) -> Definitions | None:
        """Return what a server had the last time, in this process or by the disk; None if that is not known."""
        if self._classes is not None and self._source is not None and self._source[0] == fingerprint:
            return self._classes
        if self._files is None or not fingerprint:
            return None
        return await asyncio.to_thread(self._files.read, fingerprint)
