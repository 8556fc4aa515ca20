"""The servers of the tests themselves."""

import asyncio
import socket
from contextlib import suppress

import pytest


@pytest.mark.parametrize("turns", range(4))
async def test_a_connection_that_comes_just_as_a_server_closes_has_an_end(turns: int) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as near:
        near.setblocking(False)
        for _ in range(turns):  # Between the connection and the server that knows of it there are some.
            await asyncio.sleep(0)
        server.close()
        with suppress(ConnectionResetError):
            assert not await asyncio.get_running_loop().sock_recv(near, 1)
