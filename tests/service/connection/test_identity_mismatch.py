"""The message about another server is short enough for a question, whatever that server claims."""

from unittest.mock import AsyncMock

import pytest
from textual.app import App

from comfytui.comfy.protocol.models import Device, SystemStats
from comfytui.service.connection.driver import ConnectionDriver
from comfytui.service.connection.stats_reader import StatsReader
from comfytui.session.connection.effects import Effect
from comfytui.session.connection.inputs import ServerExpected
from comfytui.session.connection.link_events import LinkChanged
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.ui.themes import SHEETS


async def reason_of(*devices: str) -> str:
    """Return the message when a server with these devices answers in place of the known one."""
    effects: list[Effect] = []
    driver = ConnectionDriver(effects.append)
    driver.take(ServerExpected("another"))
    backend = AsyncMock()
    backend.system_stats.return_value = SystemStats(
        "0.33.0", 2**36, 2**35, tuple(Device(name, "cuda", 2**34, 2**33) for name in devices)
    )
    assert not await StatsReader(driver, SessionState, lambda _: None).verify(backend)
    (effect,) = effects
    assert isinstance(effect, LinkChanged)
    assert effect.link.kind is LinkKind.OTHER_SERVER
    return effect.link.reason


@pytest.mark.parametrize(
    ("devices", "shown"),
    [
        ([], "no GPU, 64 GB"),
        (["A100", "A100"], "A100, A100, 64 GB"),
        (["a", "b", "c"], "a, b, c, 64 GB"),
        ([f"RTX {number}" for number in range(100_000)], "RTX 0, RTX 1, RTX 2 and 99,997 more, 64 GB"),
    ],
)
async def test_only_the_first_gpus_are_named(devices: list[str], shown: str) -> None:
    assert shown in await reason_of(*devices)


async def test_the_question_fits_the_screen_for_any_number_of_gpus() -> None:
    reason = await reason_of(*["x" * 1_000] * 100_000)
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        app.stylesheet.read_all([*SHEETS])
        app.push_screen(ConfirmScreen(f"{reason} Use this one from now on?"))
        await pilot.pause()
        answers = app.screen.query(".help").first()
        assert 0 < answers.region.y < answers.region.bottom <= 24
        assert answers.region.height == 1
