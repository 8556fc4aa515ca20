"""The program as its user has it: keys in, text on the screen out, a simulated server behind it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from comfytui.comfy.server import Server
from comfytui.session.model import JobStatus
from comfytui.ui.app import ComfyApp
from comfytui.ui.options import Options
from comfytui.workflow.builtin import txt2img
from tests.fake_backend import FakeBackend
from tests.settled_pilot import settled
from tests.timings import timings
from tests.waiting import eventually

CHARACTERS = {"space": " ", "slash": "/", "question_mark": "?"}
"""What the keys type that have names of more than one letter."""
PATIENT = timings(form={"choices": 60.0})
"""Waits for a server's choices, which a busy machine may take long to read; some tests give them up sooner."""
SIZES = [(80, 24), (120, 40), (200, 60)]


class Screen:
    """What a user does and sees."""

    def __init__(self, app: ComfyApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def text(self) -> str:
        """Every line that is painted."""
        width, height = self.app.size
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip)[:width].rstrip() for strip in strips[:height])

    async def shows(self, text: str) -> None:
        """Wait until a text is on the screen."""
        try:
            await eventually(lambda: text in self.text, repr(text), pause=0.08)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen was:\n{self.text}") from None

    async def has_jobs(self, *statuses: JobStatus) -> None:
        """Wait until the service has jobs of these statuses, in the order in which they came."""

        def so() -> bool:
            service = self.app.service
            return service is not None and [job.status for job in service.state.jobs.values()] == list(statuses)

        await self.until(so, f"jobs that are {statuses}")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        await eventually(condition, what)

    async def press(self, *keys: str) -> None:
        """Press keys one after another, and wait until each did what it does.

        It returns while a message that came of them is still shown, even if a busy machine does not settle.
        """
        for key in keys:
            self.app.post_message(Key(key, CHARACTERS.get(key)))
        await self.until(self._acted, "the end of what the keys do")
        await settled(self.app, within=self.app.NOTIFICATION_TIMEOUT / 2)

    def _acted(self) -> bool:
        keys = self.app._key_queue
        return not keys._pending and keys._carrier is None and self.app._message_queue.empty()

    async def write(self, field: str, text: str) -> None:
        """Replace what stands in a field, as typing over it does."""
        await self.until(lambda: self.app.screen.query(f"#{field}"), f"the field {field}")
        control = self.app.screen.query_one(f"#{field}")
        control.focus()
        await self.pilot.pause(0)
        assert isinstance(control, Input | TextArea)
        if isinstance(control, TextArea):
            control.select_all()
        else:
            control.action_select_all()
        await self.press("backspace", *text)

    async def generate(self, prompt: str = "a red fox", **fields: str) -> None:
        """Fill the form in and send it off."""
        if self.app.screen.has_class("-narrow"):
            await self.press("escape", "n")
        await self.write("prompt", prompt)
        for field, text in fields.items():
            await self.write(field, text)
        await self.press("f5")


@asynccontextmanager
async def screen(
    server: Server | str | FakeBackend | None, size: tuple[int, int] = (120, 40), **changes: Any
) -> AsyncIterator[Screen]:
    """The program open on a server, or on the start screen."""
    if isinstance(server, FakeBackend):
        changes["new_backend"], server = server, "http://127.0.0.1:9"
    options = Options(
        txt2img(), Path("unused"), demo=lambda: nullcontext(""), remember_server=lambda _: None, timings=PATIENT
    )
    app = ComfyApp(replace(options, **changes), Server.from_url(server) if isinstance(server, str) else server)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Screen(app, pilot)
