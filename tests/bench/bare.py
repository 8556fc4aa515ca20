"""The floors: a Textual app with a single widget, and a Rich display with two progress bars.

`python -m tests.bench.bare static | input | frames URL | rich RATE`.
"""

import asyncio
import json
import sys
import time

READY = "bare app"
"""Text that a bare app shows first."""
STEPS = 200


def textual(what: str, url: str = "") -> None:
    """Run an app that shows a text, has a text field, or shows each step as it arrives.

    Args:
        what: `static`, `input`, or `frames`.
        url: The server whose steps to show.
    """
    from textual.app import App, ComposeResult
    from textual.widgets import Input, Static

    class Bare(App[None]):
        def compose(self) -> ComposeResult:
            if what == "input":
                field = Input(READY, select_on_focus=False)
                field.cursor_blink = False
                yield field
            else:
                yield Static(READY)

        def on_mount(self) -> None:
            if url:
                self.run_worker(lambda: asyncio.run(self.follow()), thread=True)

        async def follow(self) -> None:
            from websockets.asyncio.client import connect

            async with connect(f"{url.replace('http', 'ws')}/ws?clientId=bare", proxy=None) as socket:
                async for frame in socket:
                    data = json.loads(frame)["data"]
                    if "value" in data:
                        text = f"Step {data['value']}/{data['max']} "
                        self.call_from_thread(self.query_one(Static).update, text, layout=False)

    Bare().run()


def rich(rate: float) -> None:
    """Show two progress bars that advance `rate` steps per second, like `comfy run --wait`."""
    from rich.progress import Progress

    with Progress() as progress:
        nodes, steps = progress.add_task("nodes", total=STEPS), progress.add_task("KSampler", total=STEPS)
        print(READY, flush=True)
        while True:
            time.sleep(1 / rate)
            for task in (nodes, steps):
                if progress.tasks[task].finished:
                    progress.reset(task)
                progress.advance(task)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["rich", rate]:
            rich(float(rate))
        case [what, *url]:
            textual(what, *url)
