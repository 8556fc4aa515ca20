"""The choice of a server when none is given."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from comfytui.cli.startup_server import find_startup_server, preferred_server, remember_server
from comfytui.comfy.address import BadServer
from comfytui.config.config import Config, read_config
from tests.comfy.auth_servers import AuthServer
from tests.stub_servers import everywhere, serving, unused_port


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "comfytui"


def configured(folder: Path, **servers: str) -> Config:
    file = folder / "config.toml"
    file.write_text("".join(f"[servers.{name}]\n{keys}\n" for name, keys in servers.items()))
    return read_config(file)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("", "spare"),
        ("box", "box"),
        ("gone", "spare"),
        ("10.0.0.5:8188", "10.0.0.5:8188"),
        ("https://host/p", "https://host/p"),
        ("[::1]:8000", "[::1]:8000"),
        ("10.0.0.5:99999", "spare"),
        ("\x1b[31m:1", "spare"),
    ],
)
def test_the_last_server_takes_precedence_over_the_default(tmp_path: Path, last: str, expected: str) -> None:
    config = configured(tmp_path, box='url = "box"', spare='url = "spare"\ndefault = true')
    if last:
        remember_server(last)
    assert preferred_server(config) == expected


def test_without_either_no_server_is_preferred() -> None:
    assert preferred_server(Config()) == ""


def test_a_named_server_is_remembered_by_its_name(tmp_path: Path, state: Path) -> None:
    server = configured(tmp_path, box='url = "http://me:hunter2@box"\ntoken = "hunter2"').resolve("box")
    remember_server(server.label)
    assert [file.read_text() for file in state.iterdir()] == ["box\n"]


def test_an_unwritable_state_folder_is_no_error(state: Path) -> None:
    state.parent.mkdir()
    state.write_text("a file")
    remember_server("box")
    assert preferred_server(Config()) == ""


async def test_only_the_preferred_server_gets_the_credentials(tmp_path: Path) -> None:
    async with AuthServer(lambda _: False).open() as server:
        local = (server.address,)
        config = configured(tmp_path, spare=f'url = "{server.base}"')
        found = await find_startup_server(config, local_servers=local, headers=[("X-Key", "k")])
        assert found is not None
        assert (found.base, dict(found.headers)) == (server.base, {})
        remember_server("spare")
        found = await find_startup_server(config, local_servers=local, headers=[("X-Key", "k")])
        assert found is not None
        assert dict(found.headers) == {"X-Key": "k"}


async def test_if_the_last_server_is_down_no_other_is_chosen(tmp_path: Path) -> None:
    async with AuthServer(lambda _: False).open() as server:
        unused = f'url = "127.0.0.1:{await unused_port()}"'
        config = configured(tmp_path, box=unused, spare=f'url = "{server.base}"\ndefault = true')
        remember_server("box")
        assert await find_startup_server(config, local_servers=()) is None


async def test_a_local_server_is_a_candidate_only_if_none_is_preferred(tmp_path: Path) -> None:
    unused = f"127.0.0.1:{await unused_port()}"
    spare = configured(tmp_path, spare=f'url = "{unused}"\ndefault = true')
    async with AuthServer(lambda _: False).open() as server:
        local = (unused, server.address)
        assert await find_startup_server(Config(), local_servers=local) == server
        assert await find_startup_server(spare, local_servers=local) is None
        remember_server(unused)
        assert await find_startup_server(Config(), local_servers=local) is None


async def test_only_the_preferred_server_may_be_slow(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with serving(everywhere(hang)) as url:
        config = configured(tmp_path, box=f'url = "{url}"', spare=f'url = "{url}"\ndefault = true')
        found = await find_startup_server(config, local_servers=(), probe_timeout=0.05)
        assert found is not None
        assert found.name == "spare"
        # A refusal is an answer, which a busy machine may not give as fast.
        remember_server(f"127.0.0.1:{await unused_port()}")
        assert await find_startup_server(config, local_servers=(), probe_timeout=60.0) is None
        over.set()


async def test_only_the_secrets_of_the_chosen_server_are_read(tmp_path: Path) -> None:
    async with AuthServer(lambda _: False).open() as server:
        config = configured(
            tmp_path, box=f'url = "{server.base}"', spare='url = "spare"\ndefault = true\ntoken_command = ["no-such"]'
        )
        remember_server("box")
        found = await find_startup_server(config, local_servers=())
        assert found is not None
        assert found.name == "box"
        remember_server("spare")
        with pytest.raises(BadServer, match="token_command"):
            await find_startup_server(config, local_servers=())
