"""The start screen with the named servers of a config file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from comfytui.config.config import read_config
from comfytui.sim.server import SimServer
from tests.stub_servers import unused_port
from tests.ui.screen import Screen, screen

LONG = "a" * 50


@asynccontextmanager
async def start_screen(folder: Path, content: str, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Screen]:
    file = folder / "config.toml"
    file.write_text(content)
    config = read_config(file)
    named = config.summaries()
    async with screen(None, size, named_servers=named, server_of=config.resolve, suggest=config.suggestion) as it:
        await it.shows("Enter a server's address.")
        yield it


def servers(**addresses: str) -> str:
    return "".join(f'[servers.{name}]\nurl = "{address}"\n' for name, address in addresses.items())


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_named_servers_are_listed_and_chosen_by_keys(tmp_path: Path, size: tuple[int, int]) -> None:
    async with SimServer() as sim:
        many = {f"gpu-{number}": f"http://gpu-{number}.example.org/comfy" for number in range(48)}
        content = servers(**many, **{LONG: "long.example.org", "last": sim.url.replace("//", "//me:hunter2@")})
        async with start_screen(tmp_path, content, size) as it:
            assert "gpu-0 " in it.text
            assert "gpu-0.example.org" in it.text
            assert "↓ Named servers" in it.text
            for text in ("Open  enter", "ssh -L"):
                assert text in it.text
            await it.press("down", "end")
            await it.shows(f"last  {' ' * 16}{sim.url.removeprefix('http://')}")
            assert LONG in it.text
            assert "hunter2" not in it.text
            await it.press("enter")
            await it.shows("live")


async def test_key_to_named_servers_is_offered_only_if_there_are_some(tmp_path: Path) -> None:
    async with start_screen(tmp_path, "") as it:
        for key in ("f1", "escape"):
            await it.press(key)
            await it.shows("Help" if key == "escape" else "Keys")
            assert "Named servers" not in it.text


async def test_typing_highlights_matching_server(tmp_path: Path) -> None:
    async with SimServer() as sim:
        many = {f"box-{number}": "10.0.0.9" for number in range(30)}
        async with start_screen(tmp_path, servers(**many, **{"GPU-big": sim.url})) as it:
            assert "GPU-big" not in it.text
            await it.press(*"gpu")
            await it.shows("GPU-big")
            await it.press("down", "enter")
            await it.shows("live")


async def test_broken_server_entry_is_reported_when_chosen(tmp_path: Path) -> None:
    async with SimServer() as sim:
        wrong = '[servers.wrong]\nurl = "box"\ntokken = "hunter2"\n'
        async with start_screen(tmp_path, wrong + servers(**{"gpu-box": sim.url})) as it:
            assert "! servers.wrong.tokken: unknown key" in it.text
            await it.press("down", "enter")
            await it.shows("password_command, ")
            assert "hunter2" not in it.text
            await it.press("down", "enter")
            await it.shows("live")


async def test_unknown_name_suggests_similar_one(tmp_path: Path) -> None:
    async with start_screen(tmp_path, servers(**{"gpu-box": "http://10.0.0.9"})) as it:
        assert "↓ Named servers" in it.text
        await it.press(*"gpu box", "enter")
        await it.shows("Did you mean comfytui gpu-box?")


async def test_start_screen_without_named_servers_lists_none() -> None:
    async with screen(None) as it:
        await it.shows("Enter a server's address.")
        assert "Named servers" not in it.text
        port = await unused_port()
        await it.press("down", *f"127.0.0.1:{port}", "enter")
        await it.shows("Nothing listens")
