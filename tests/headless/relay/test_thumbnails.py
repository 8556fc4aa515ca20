"""Smaller versions of images are made of whatever a server sends."""

import asyncio
import threading
from io import BytesIO

import pytest
from PIL import Image

from comfytui.decoding.decoder import DecodeError
from comfytui.headless.relay import thumbnails
from comfytui.headless.relay.thumbnails import AT_ONCE, Thumbnails
from tests.hostile.image_bombs import other_format, scan_bomb
from tests.waiting import eventually

RED = other_format("PNG")


async def fetched(data: bytes) -> bytes:
    return data


@pytest.mark.parametrize(
    "data", [b"", b"<html>", scan_bomb(64, 1_000), RED[:-40]], ids=["empty", "page", "bomb", "cut"]
)
async def test_what_is_no_harmless_image_is_refused_and_the_next_one_is_not(data: bytes) -> None:
    made = Thumbnails()
    with pytest.raises(DecodeError):
        await made.make(lambda: fetched(data), 64)
    with Image.open(BytesIO(await made.make(lambda: fetched(RED), 64))) as image:
        assert image.format == "WEBP"


async def test_only_a_few_images_are_in_memory_at_once() -> None:
    made, go, fetching = Thumbnails(), asyncio.Event(), []

    async def fetch() -> bytes:
        fetching.append(1)
        await go.wait()
        return RED

    tasks = [asyncio.create_task(made.make(fetch, 64)) for _ in range(10)]
    await eventually(lambda: len(fetching) == AT_ONCE, "the first images")
    await asyncio.sleep(0)
    assert len(fetching) == AT_ONCE
    go.set()
    assert len(await asyncio.gather(*tasks)) == 10


async def test_a_client_that_leaves_does_not_let_more_images_in(monkeypatch: pytest.MonkeyPatch) -> None:
    go, reducing, fetching = threading.Event(), [], []

    def reduce(data: bytes, width: int) -> bytes:
        reducing.append(width)
        go.wait()
        return data

    async def fetch() -> bytes:
        fetching.append(1)
        return RED

    monkeypatch.setattr(thumbnails, "_reduce", reduce)
    made = Thumbnails()
    left = [asyncio.create_task(made.make(fetch, 64)) for _ in range(AT_ONCE)]
    try:
        await eventually(lambda: len(reducing) == AT_ONCE, "the first images")
        for task in left:
            task.cancel()
        other = asyncio.create_task(made.make(fetch, 64))
        await asyncio.wait([other], timeout=0.1)
        assert len(fetching) == AT_ONCE
    finally:
        go.set()
    assert await other == RED
    await asyncio.wait(left)
    assert all(task.cancelled() for task in left)
