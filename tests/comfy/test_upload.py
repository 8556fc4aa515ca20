"""Uploads: what is sent and reported, and what is said if the server does not take a file."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import BodyPartReader, web

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ServerError, Unauthorized
from comfytui.comfy.http.multipart import NAME_LIMIT, upload_name
from comfytui.comfy.protocol.library import ServerFile
from comfytui.comfy.server import Server
from comfytui.timings import HttpTimings
from tests.stub_servers import Handler, answering, serving
from tests.waiting import eventually

MB = 10**6
PROMPT = answering({"exec_info": {"queue_remaining": 0}})
TAKEN = {"name": "fox (1).png", "subfolder": "a/b", "type": "input"}


class Receiver:
    """A server that takes uploads, and keeps what it gets of them."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.name = ""
        self.content = b""
        self.paths: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        # Not `post()`: its temporary file would be left open by a client that goes away.
        form = await request.multipart()
        while isinstance(part := await form.next(), BodyPartReader):
            content = bytes(await part.read())
            if part.filename is None:
                self.fields[part.name or ""] = content.decode()
            else:
                self.name, self.content = part.filename, content
        return web.json_response(TAKEN)

    @property
    def routes(self) -> dict[str, Handler]:
        return {
            "GET /api/prompt": PROMPT,
            "POST /api/upload/image": self.take,
            "POST /api/upload/mask": self.take,
            "HEAD /api/view": answering(""),
        }


async def test_a_file_is_sent_from_the_disk_with_its_progress(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000
    file = tmp_path / "fox.png"
    file.write_bytes(content)
    receiver, reports = Receiver(), list[tuple[int, int]]()
    async with serving(receiver.routes) as url, ComfyClient(Server.from_url(url)) as client:
        taken = await client.upload(
            file, "fox in.png", lambda sent, size: reports.append((sent, size)), subfolder="a/b"
        )
    assert taken == ServerFile("fox (1).png", "a/b")
    assert taken.value == "a/b/fox (1).png"
    assert (receiver.name, receiver.content == content) == ("fox in.png", True)
    assert receiver.fields == {"type": "input", "subfolder": "a/b", "overwrite": "false"}
    assert (reports[0], reports[-1]) == ((0, len(content)), (len(content), len(content)))
    assert reports == sorted(set(reports))
    assert len(reports) > 3


async def test_a_mask_names_the_image_that_it_belongs_to() -> None:
    receiver = Receiver()
    async with serving(receiver.routes) as url, ComfyClient(Server.from_url(url)) as client:
        await client.upload(b"png", "mask.png", mask_of=ServerFile("füchse.png", "sub", "output"), overwrite=True)
    assert receiver.paths == ["/api/upload/mask"]
    assert receiver.fields["original_ref"] == '{"filename": "f\\u00fcchse.png", "subfolder": "sub", "type": "output"}'
    assert receiver.fields["overwrite"] == "true"


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("im g.png", "im g.png"),
        ("狐.png", "狐.png"),
        ('a"b\r\nc.png', "a_b__c.png"),
        ("../../etc/x.png", "_.._etc_x.png"),
        ("C:\\x.png", "C__x.png"),
        ("\udcff.png", "_.png"),
        ("", "image"),
        (" .. ", "image"),
    ],
)
async def test_any_name_becomes_one_that_a_server_takes(name: str, sent: str) -> None:
    receiver = Receiver()
    async with serving(receiver.routes) as url, ComfyClient(Server.from_url(url)) as client:
        await client.upload(b"png", name)
    assert receiver.name == sent


def test_a_long_name_keeps_its_extension() -> None:
    shortened = upload_name("狐" * 300 + ".png")
    assert shortened.endswith("狐.png")
    assert len(shortened.encode()) <= NAME_LIMIT


async def _failure(routes: dict[str, Handler], content: bytes = b"png") -> Exception:
    async with serving({"GET /api/prompt": PROMPT, **routes}) as url, ComfyClient(Server.from_url(url)) as client:
        with pytest.raises((ServerError, Unauthorized)) as caught:
            await client.upload(content, "a.png")
        return caught.value


async def test_the_limit_of_a_server_is_known_before_anything_is_sent() -> None:
    receiver = Receiver()
    features = answering({"max_upload_size": 2 * MB})
    error = await _failure({**receiver.routes, "GET /api/features": features}, bytes(3 * MB))
    assert "takes no file of 3.0 MB: its limit is 2.0 MB" in str(error)
    assert not receiver.paths


async def test_a_refused_size_is_said_in_words() -> None:
    error = await _failure({"POST /api/upload/image": answering("", 413)}, bytes(MB // 2))
    assert "takes no file of 0.5 MB. Make it smaller" in str(error)


async def test_a_refused_name_is_said_in_words() -> None:
    error = await _failure({"POST /api/upload/image": answering("", 400)})
    assert "does not take a file named a.png" in str(error)


async def test_a_server_that_requires_a_login_is_no_server_that_takes_no_files() -> None:
    assert isinstance(await _failure({"POST /api/upload/image": answering("", 401)}), Unauthorized)


async def test_a_server_that_closes_the_connection_is_said_in_words() -> None:
    async def reset(request: web.Request) -> web.Response:
        await request.content.read(1)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    error = await _failure({"POST /api/upload/image": reset}, bytes(64 * MB))
    assert "closed the connection after" in str(error)
    assert "of 64.0 MB" in str(error)


async def test_a_limit_that_is_found_while_sending_is_said_in_words() -> None:
    async def refuse(request: web.Request) -> web.Response:
        await request.content.read(MB)
        return web.Response(status=413, headers={"Connection": "close"})

    error = await _failure({"POST /api/upload/image": refuse}, bytes(64 * MB))
    assert "64.0 MB" in str(error)
    assert "Make it smaller" in str(error)


async def test_a_server_that_still_gets_the_end_of_a_file_is_waited_for() -> None:
    receiver = Receiver()

    async def take_slowly(request: web.Request) -> web.Response:
        await asyncio.sleep(0.6)
        return await receiver.take(request)

    routes = {**receiver.routes, "POST /api/upload/image": take_slowly}
    async with (
        serving(routes) as url,
        ComfyClient(Server.from_url(url), HttpTimings(post_read=0.1)) as client,
    ):
        await client.upload(bytes(MB), "a.png")
    assert len(receiver.content) == MB


async def test_a_cancelled_upload_ends_the_request() -> None:
    begun, gone, release = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stall(request: web.Request) -> Any:
        begun.set()
        try:
            while await request.content.readany():
                await release.wait()
        except ConnectionError:
            gone.set()
            raise

    routes: dict[str, Handler] = {"GET /api/prompt": PROMPT, "POST /api/upload/image": stall}
    async with serving(routes) as url, ComfyClient(Server.from_url(url)) as client:
        upload = asyncio.create_task(client.upload(bytes(64 * MB), "a.png"))
        await begun.wait()
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        release.set()
        await eventually(gone.is_set, "the end of the request")


async def test_a_file_that_changes_while_it_is_sent_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(bytes(MB))
    receiver = Receiver()

    def change(sent: int, size: int) -> None:
        if 0 < sent < size:
            file.write_bytes(b"other")

    async with serving(receiver.routes) as url, ComfyClient(Server.from_url(url)) as client:
        with pytest.raises(OSError, match="changed"):
            await client.upload(file, "a.png", change)
    assert not receiver.content


async def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    async with ComfyClient(Server.from_url("http://127.0.0.1:9")) as client:
        with pytest.raises(OSError, match="No such file"):
            await client.upload(tmp_path / "missing.png", "a.png")
        with pytest.raises(OSError, match="not a file"):
            await client.upload(tmp_path, "a.png")
