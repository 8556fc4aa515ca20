"""Smaller versions of images are made of whatever a server sends."""

import asyncio
from io import BytesIO

import pytest
from PIL import Image

from comfytui.decoding.decoder import DecodeError
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
    thumbnails = Thumbnails()
    with pytest.raises(DecodeError):
        await thumbnails.make(lambda: fetched(data), 64)
    with Image.open(BytesIO(await thumbnails.make(lambda: fetched(RED), 64))) as image:
        assert image.format == "WEBP"


async def test_only_a_few_images_are_in_memory_at_once() -> None:
    thumbnails, go, fetching = Thumbnails(), asyncio.Event(), []

    async def fetch() -> bytes:
        fetching.append(1)
        await go.wait()
        return RED

    tasks = [asyncio.create_task(thumbnails.make(fetch, 64)) for _ in range(10)]
    await eventually(lambda: len(fetching) == AT_ONCE, "the first images")
    await asyncio.sleep(0)
    assert len(fetching) == AT_ONCE
    go.set()
    assert len(await asyncio.gather(*tasks)) == 10
