"""Frames of a socket count once the server was verified after that socket opened."""

import asyncio

import pytest

from comfytui.comfy.backend import ComfyBackend
from comfytui.comfy.protocol.events import PreviewImage, Status
from comfytui.comfy.server import Server
from comfytui.service.connection.manager import ConnectionManager
from comfytui.service.connection.socket_task import MAX_BUFFERED_FRAMES, Message
from comfytui.service.connection.stats_reader import server_fingerprint
from comfytui.session.connection.inputs import (
    ServerExpected,
    ServerSeen,
    ServerVerified,
    SocketClosed,
    SocketOpened,
    StatsReceived,
)
from comfytui.session.state import SessionState
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.fake_backend import FakeBackend
from tests.timings import timings
from tests.waiting import TIMEOUT, eventually


class Sockets:
    """A connection with one socket that is open, without a server behind it, and the frames that were delivered."""

    def __init__(self, verify_seconds: float = 2.0) -> None:
        self.events: list[object] = []
        self.manager = ConnectionManager(
            Server.from_url("http://127.0.0.1:9"),
            SessionState,
            self.events.append,
            lambda _: None,
            lambda _: None,
            timings=timings(connection={"verify": verify_seconds}),
        )
        self.driver = self.manager._driver
        self.manager.run_socket(FakeBackend(), "id").close()
        self.socket = self.manager._sockets["id"]
        self.driver.take(SocketOpened("id"))

    @property
    def received(self) -> list[object]:
        return [event for event in self.events if isinstance(event, Status)]

    def receive(self, frame: Message) -> None:
        self.socket._receive(frame)

    def verify(self) -> None:
        """The known server answers."""
        gate = self.driver.connection.gate
        self.driver.take(ServerSeen("known", "the server"))
        self.driver.take(ServerVerified(gate.sockets_opened, gate.breaks))

    def counts(self) -> bool:
        return self.driver.connection.counts("id")


@pytest.fixture
async def sockets() -> Sockets:
    return Sockets()


async def test_frames_wait_for_the_verification_and_are_delivered_in_order(sockets: Sockets) -> None:
    sockets.receive(Status(1))
    sockets.receive(Status(2))
    assert sockets.received == []
    sockets.verify()
    assert sockets.received == [Status(1), Status(2)]
    sockets.receive(Status(3))
    assert sockets.received[2:] == [Status(3)]


async def test_the_frames_of_a_socket_that_closes_before_the_verification_are_dropped(sockets: Sockets) -> None:
    sockets.receive(Status(1))
    sockets.driver.take(SocketClosed("id", "closed"))
    sockets.verify()
    assert sockets.received == []


async def test_previews_are_not_held_but_do_not_count_either(sockets: Sockets) -> None:
    sockets.receive(PreviewImage("png", b""))
    assert sockets.socket._buffered == []
    sockets.verify()
    assert sockets.counts()


async def test_frames_are_dropped_if_the_verification_takes_too_long() -> None:
    sockets = Sockets(verify_seconds=0.01)
    for count in range(MAX_BUFFERED_FRAMES):
        await sockets.socket._wait_for_space()
        sockets.receive(Status(count))
    await sockets.socket._wait_for_space()
    sockets.receive(Status(99))
    await asyncio.wait_for(sockets.socket._wait_for_space(), TIMEOUT)
    sockets.verify()
    assert sockets.received == []


async def test_a_socket_with_too_many_held_frames_is_read_again_after_the_verification() -> None:
    sockets = Sockets(verify_seconds=600.0)
    for count in range(MAX_BUFFERED_FRAMES):
        sockets.receive(Status(count))
    waiting = asyncio.ensure_future(sockets.socket._wait_for_space())
    await asyncio.sleep(0)
    assert not waiting.done()
    sockets.verify()
    await asyncio.wait_for(waiting, TIMEOUT)
    assert len(sockets.received) == MAX_BUFFERED_FRAMES


async def test_frames_of_a_socket_that_is_renewed_never_count(sockets: Sockets) -> None:
    sockets.receive(Status(1))
    sockets.manager.reconnect()
    sockets.verify()
    sockets.receive(Status(2))
    sockets.verify()
    assert sockets.received == []
    sockets.driver.take(SocketClosed("id"))
    sockets.driver.take(SocketOpened("id"))
    sockets.verify()
    sockets.receive(Status(3))
    assert sockets.received == [Status(3)]


async def test_renewing_does_not_drop_the_frames_of_a_verified_socket(sockets: Sockets) -> None:
    sockets.verify()
    sockets.manager.reconnect()
    sockets.receive(Status(1))
    assert sockets.received == [Status(1)]


@pytest.mark.parametrize("way", ["cancelled", "renewed", "left alone"])
async def test_unverified_frames_are_dropped_with_their_socket(way: str) -> None:
    events: list[object] = []
    async with SimServer(SimConfig()) as sim, ComfyBackend(Server.from_url(sim.url)) as backend:
        manager = ConnectionManager(
            Server.from_url(sim.url), SessionState, events.append, lambda _: None, lambda _: None
        )
        fingerprint = server_fingerprint(await backend.system_stats())
        manager._driver.take(ServerExpected(fingerprint))
        running = asyncio.create_task(manager.run_socket(backend, "id"))
        await eventually(lambda: manager._sockets["id"]._buffered, "a held frame")
        opened = manager.connection.gate.sockets_opened
        if way == "cancelled":
            running.cancel()
            await asyncio.wait([running])
            manager._driver.take(SocketClosed("id", "closed"))
        elif way == "renewed":
            manager.reconnect()
        manager._driver.take(StatsReceived(fingerprint, opened))
        assert any(isinstance(event, Status) for event in events) is (way == "left alone")
        running.cancel()
        await asyncio.wait([running])
