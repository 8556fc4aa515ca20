"""How what a command does is run."""

import asyncio
import gc

import pytest

from comfytui.cli.server_command import run_on_server


async def work() -> None:
    """Do nothing."""


def test_an_interrupt_before_the_loop_runs_leaves_no_warning(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_on_server(work())
    gc.collect()
    assert [str(each.message) for each in recwarn] == []
