"""The fix for asyncio servers that the tests apply."""

import asyncio
import socket
from contextlib import suppress

import pytest


@pytest.mark.parametrize("turns", range(4))
async def test_a_connection_accepted_just_as_its_server_closes_is_closed(turns: int) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as near:
        near.setblocking(False)
        for _ in range(turns):  # It takes some until the server knows of the connection.
            await asyncio.sleep(0)
        server.close()
        with suppress(ConnectionResetError):
            assert not await asyncio.get_running_loop().sock_recv(near, 1)
