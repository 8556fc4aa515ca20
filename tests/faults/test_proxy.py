"""The proxy itself: bytes, ends of streams, and resets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from tests.faults.proxied_connection import Direction
from tests.faults.proxy import Proxy, proxy_to
from tests.faults.raw_peers import Peer, ProxyPeers, proxy_peers
from tests.sim.client import Client, client, events
from tests.waiting import eventually

UPGRADE = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX: y\r\n\r\n"


@pytest.fixture
async def ends() -> AsyncIterator[ProxyPeers]:
    async with proxy_peers() as ends:
        yield ends


@pytest.fixture
async def it() -> AsyncIterator[Client]:
    async with client() as it:
        yield it


async def test_bytes_and_ends_pass_both_ways(ends: ProxyPeers) -> None:
    near, far = await ends.connect()
    far.writer.write(b"welcome")
    await near.has(b"welcome")
    assert (ends.proxy.open, ends.proxy.accepted) == (1, 1)
    near.writer.write_eof()
    await far.ended("closed")
    far.writer.write(b" and bye")
    await near.has(b"welcome and bye")
    far.writer.close()
    await near.ended("closed")
    await eventually(lambda: ends.proxy.open == 0, "the end")


async def test_a_reset_passes(ends: ProxyPeers) -> None:
    near, far = await ends.connect()
    await ends.connect(b"another")
    near.reset()
    await far.ended("reset")
    await eventually(lambda: ends.proxy.open == 1, "the count")


async def test_a_reset_reaches_both_sides(ends: ProxyPeers) -> None:
    near, far = await ends.connect()
    ends.proxy.reset_connections()
    await near.ended("reset")
    await far.ended("reset")


async def test_a_reset_of_websockets_spares_other_connections(ends: ProxyPeers) -> None:
    near, _ = await ends.connect()
    upgraded, _ = await ends.connect(UPGRADE)
    assert (ends.proxy.open, ends.proxy.websockets) == (2, 1)
    ends.proxy.reset_connections(websockets_only=True)
    await upgraded.ended("reset")
    await eventually(lambda: (ends.proxy.open, ends.proxy.websockets) == (1, 0), "the count")
    assert not near.end


@pytest.mark.parametrize("way", Direction)
async def test_a_stall_of_one_way_lets_the_other_pass(ends: ProxyPeers, way: Direction) -> None:
    near, far = await ends.connect()
    ends.proxy.stall(way)
    near.writer.write(b"!")
    far.writer.write(b"?")
    if way is Direction.TO_CLIENT:
        await far.has(b"hello!")
        assert near.received == b""
    else:
        await near.has(b"?")
        assert far.received == b"hello"
    assert not near.end
    assert not far.end


async def test_a_half_open_connection_outlives_its_client(ends: ProxyPeers) -> None:
    near, far = await ends.connect()
    ends.proxy.stall()
    near.writer.write(b"!")
    await near.close()
    await eventually(lambda: ends.proxy.lingering == 1, "the client's end")
    assert (ends.proxy.open, far.received, far.end) == (0, b"hello", "")
    again, other = await ends.connect(b"again")
    other.writer.write(b"welcome")
    await again.has(b"welcome")
    ends.proxy.reap()
    await far.ended("reset")
    await eventually(lambda: ends.proxy.lingering == 0, "the last of it")
    assert not again.end


async def test_a_half_open_connection_outlives_its_server(ends: ProxyPeers) -> None:
    near, far = await ends.connect()
    ends.proxy.stall()
    await far.close()
    ends.proxy.reap()
    other, _ = await ends.connect(b"again")
    ends.proxy.reset_connections(websockets_only=True)
    assert not near.end
    assert not other.end


async def test_a_stall_of_new_connections_ends(ends: ProxyPeers) -> None:
    ends.proxy.stall(new=True)
    lost = await ends.dial()
    lost.writer.write(b"hello?")
    await eventually(lambda: ends.proxy.open == 1 and len(ends.servers) == 1, "the connection")
    ends.proxy.heal()
    await ends.connect()
    assert ends.servers[0].received == b""


@pytest.mark.parametrize("way", Direction)
async def test_frozen_bytes_come_later(ends: ProxyPeers, way: Direction) -> None:
    near, far = await ends.connect()
    ends.proxy.freeze(way)
    near.writer.write(b"!")
    far.writer.write(b"?")
    await (near.has(b"?") if way is Direction.TO_SERVER else far.has(b"hello!"))
    assert (far.received == b"hello") == (way is Direction.TO_SERVER)
    ends.proxy.thaw()
    await near.has(b"?")
    await far.has(b"hello!")


async def test_a_reset_on_a_request_keeps_it_from_the_server(ends: ProxyPeers) -> None:
    near, far = await ends.connect()
    rule = ends.proxy.reset_on(b"POST /prompt")
    near.writer.write(b"POST /prompt HTTP/1.1\r\n\r\n")
    await near.ended("reset")
    await far.ended("reset")
    assert (rule.hits, far.received) == (1, b"hello")
    await ends.connect(b"POST /prompt")


async def test_a_lost_response_ends_the_connection(ends: ProxyPeers) -> None:
    rule = ends.proxy.lose_response_to(b"POST /prompt")
    near, far = await ends.connect(b"POST /prompt")
    far.writer.write(b"200")
    await near.ended("reset")
    assert (rule.hits, near.received) == (1, b"")


async def test_a_response_lost_in_silence_leaves_the_connection(ends: ProxyPeers) -> None:
    ends.proxy.lose_response_to(b"POST /prompt", silent=True)
    near, far = await ends.connect(b"POST /prompt")
    far.writer.write(b"200")
    near.writer.write(b"still here?")
    await far.has(b"POST /promptstill here?")
    assert (near.received, near.end) == (b"", "")


async def test_a_held_response_comes_when_it_is_released(ends: ProxyPeers) -> None:
    rule = ends.proxy.hold_response_to(b"POST /prompt")
    near, far = await ends.connect(b"POST /prompt")
    other, end = await ends.connect(b"GET /")
    far.writer.write(b"200")
    end.writer.write(b"404")
    await other.has(b"404")
    assert near.received == b""
    rule.release()
    await near.has(b"200")


async def test_delayed_and_throttled_bytes_come_whole(ends: ProxyPeers) -> None:
    near, far = await ends.connect()
    ends.proxy.delay(0.001)
    ends.proxy.throttle(1_000_000)
    data = bytes(100_000)
    far.writer.write(data)
    await near.has(data)


async def test_idle_connections_are_closed(ends: ProxyPeers) -> None:
    near, far = await ends.connect()
    ends.proxy.close_idle(0.01)
    await near.ended("closed")
    await far.ended("closed")
    ends.proxy.close_idle(None)
    near, _ = await ends.connect()
    assert not near.end


async def test_stripped_upgrades_reach_the_server_as_plain_requests(ends: ProxyPeers) -> None:
    ends.proxy.strip_upgrades()
    near = await ends.dial()
    near.writer.write(UPGRADE)
    plain = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: y\r\n\r\n"
    await eventually(lambda: ends.servers and ends.servers[0].received == plain, "a plain request")
    assert ends.proxy.websockets == 0


async def test_connections_are_refused_while_it_is_down(ends: ProxyPeers) -> None:
    near, far = await ends.connect()
    ends.proxy.go_down()
    with pytest.raises(ConnectionRefusedError):
        await ends.dial()
    near.writer.write(b"!")
    await far.has(b"hello!")
    await ends.proxy.come_up()
    await ends.connect()


async def test_a_server_that_is_away_ends_the_connection() -> None:
    async with proxy_to("http://127.0.0.1:9") as proxy:
        parts = urlsplit(proxy.url)
        peer = Peer(*await asyncio.open_connection(parts.hostname, parts.port))
        await peer.ended("closed")
        await peer.close()


async def test_a_real_websocket_is_refused_without_upgrades_and_opens_with_them(it: Client) -> None:
    async with proxy_to(it.server.url) as proxy:
        proxy.strip_upgrades()
        with pytest.raises(InvalidStatus) as refused:
            await it.socket("me", proxy.url).__aenter__()
        assert refused.value.response.status_code == 400
        proxy.strip_upgrades(False)
        async with it.socket("me", proxy.url) as opened:
            await events(opened, "status")
            assert proxy.websockets == 1
            proxy.reset_connections()
            with pytest.raises(ConnectionClosedError):
                await events(opened, "never")


async def test_a_client_whose_old_socket_closes_late_is_really_orphaned(it: Client) -> None:
    async with proxy_to(it.server.url) as proxy, it.socket("me", proxy.url) as old:
        await events(old, "status")
        proxy.stall()
        old.transport.abort()
        async with it.socket("me", proxy.url) as new:
            await events(new, "status")
            assert "me" in it.server.sockets.clients
            proxy.reap()
            await eventually(lambda: "me" not in it.server.sockets.clients, "the orphaned socket")
            await (await new.ping())


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_accepted_just_as_the_proxy_ends_is_closed(turns: int) -> None:
    proxy = Proxy("http://127.0.0.1:9")
    await proxy.come_up()
    with socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2]))) as near:
        near.setblocking(False)
        for _ in range(turns):
            await asyncio.sleep(0)
        await proxy.end()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        with suppress(ConnectionResetError):
            assert not await asyncio.get_running_loop().sock_recv(near, 1)
