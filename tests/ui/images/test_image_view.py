"""Images: their shape in cells, that the newest wins within the budget, and that the terminal is never queried."""

import io
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from PIL import Image
from textual.app import App, ComposeResult
from textual.geometry import Region, Size
from textual.pilot import Pilot

from comfytui.decoding.decoder import DECODER, Decoder
from comfytui.ui.images.image_render import RenderedImage, render_image
from comfytui.ui.images.image_view import ImageView
from comfytui.ui.themes import STYLES

MAX_SIZE = Size(40, 20)
BLACK = (0, 0, 0)
PREVIEW_CELLS = (20, 10)


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def plain(colour: str, size: tuple[int, int] = (64, 64), file_format: str = "PNG") -> bytes:
    return encoded(Image.new("RGB", size, colour), file_format)


def cells(drawn: RenderedImage) -> tuple[int, int]:
    (width,) = {strip.cell_length for strip in drawn.strips}
    return width, len(drawn.strips)


def colours(drawn: RenderedImage) -> set[tuple[int, ...]]:
    styles = [segment.style for strip in drawn.strips for segment in strip]
    found = [color.triplet for style in styles if style for color in (style.color, style.bgcolor) if color]
    return {tuple(triplet) for triplet in found if triplet}


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ((512, 512), (40, 20)),
        ((1024, 512), (40, 10)),
        ((512, 1024), (20, 20)),
        ((8, 8), (40, 20)),
        ((4000, 1), (40, 1)),
        ((1, 4000), (1, 20)),
    ],
)
def test_an_image_keeps_its_proportions(pixels: tuple[int, int], expected: tuple[int, int]) -> None:
    assert cells(render_image(plain("red", pixels), MAX_SIZE, BLACK)) == expected
    assert cells(render_image(plain("red", pixels), MAX_SIZE, None)) == expected


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_every_format_of_the_server_is_shown(file_format: str) -> None:
    drawn = render_image(plain("#0000ff", file_format=file_format), MAX_SIZE, BLACK)
    assert drawn.reason == ""
    assert all(blue > 250 and red < 5 for red, _, blue in colours(drawn))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_is_shown(mode: str) -> None:
    assert render_image(encoded(Image.new(mode, (16, 16))), MAX_SIZE, BLACK).reason == ""


def test_transparent_pixels_show_the_background() -> None:
    clear = encoded(Image.new("RGBA", (16, 16), (255, 255, 255, 0)))
    assert colours(render_image(clear, MAX_SIZE, (20, 30, 40))) == {(20, 30, 40)}


def test_two_pixels_share_a_cell() -> None:
    image = Image.new("RGB", (1, 2), "red")
    image.putpixel((0, 1), (0, 0, 255))
    (segment,) = render_image(encoded(image), Size(1, 1), BLACK).strips[0]
    assert segment.text == "▀"
    assert segment.style is not None
    assert segment.style.color is not None
    assert segment.style.bgcolor is not None
    assert segment.style.color.triplet == (255, 0, 0)
    assert segment.style.bgcolor.triplet == (0, 0, 255)


def test_without_colour_brightness_becomes_characters() -> None:
    ramp = render_image(encoded(Image.linear_gradient("L")), MAX_SIZE, None)
    lines = ["".join(segment.text for segment in strip) for strip in ramp.strips]
    assert lines[0] == " " * 40
    assert lines[-1] == "@" * 40
    assert "".join(lines).isascii()
    assert colours(ramp) == set()


def test_an_animation_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("#ff0000", "#00ff00")]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert colours(render_image(data, MAX_SIZE, BLACK)) == {(255, 0, 0)}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JPEG, PNG or WEBP"),
        (b"<html>not an image</html>", "not JPEG, PNG or WEBP"),
        (encoded(Image.new("RGB", (8, 8)), "GIF"), "not JPEG, PNG or WEBP"),
        (plain("red", (64, 64))[:60], "broken"),
        (encoded(Image.effect_noise((64, 64), 90))[:2000], "broken"),
        (encoded(Image.new("1", (9000, 9000))), "too large"),
        (encoded(Image.new("1", (16000, 16000))), "too large"),
    ],
)
def test_an_image_that_cannot_be_shown_has_a_reason(data: bytes, reason: str) -> None:
    assert render_image(data, MAX_SIZE, BLACK) == RenderedImage(reason=reason)


class RecordingImageView(ImageView):
    """An image view that records which lines it repaints."""

    def __init__(self, budget: int, decoder: Decoder) -> None:
        super().__init__(budget=budget, decoder=decoder)
        self.painted: list[int] = []

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> "RecordingImageView":
        self.painted += [region.y for region in regions]
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self


class ImageApp(App[None]):
    CSS_PATH = [STYLES / "image_view.tcss"]  # noqa: RUF012
    ascii = False

    def __init__(self, budget: int = 10**9, decoder: Decoder = DECODER) -> None:
        super().__init__()
        self._budget = budget
        self._decoder = decoder

    def compose(self) -> ComposeResult:
        yield RecordingImageView(self._budget, self._decoder)

    @property
    def view(self) -> RecordingImageView:
        return self.query_one(RecordingImageView)

    @property
    def lines(self) -> list[str]:
        return [self.view.render_line(y).text for y in range(self.view.size.height)]

    @property
    def colours(self) -> set[tuple[int, ...]]:
        strips = [self.view.render_line(y) for y in range(self.view.size.height)]
        blocks = [segment for strip in strips for segment in strip if "▀" in segment.text]
        return colours(RenderedImage((*[type(strips[0])(blocks)],)))


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    while not condition():
        await pilot.pause(0.01)


async def test_an_image_is_centred() -> None:
    app = ImageApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.view.show(plain("red"), max_cells=PREVIEW_CELLS)
        await until(pilot, lambda: "▀" in app.lines[6])
        assert app.lines[1] == " " * 10 + "▀" * 20 + " " * 10
        assert [bool(line.strip()) for line in app.lines] == [False] + [True] * 10 + [False]
        assert all(app.view.render_line(y).cell_length == 40 for y in range(12))


async def test_a_finished_image_may_fill_the_widget() -> None:
    app = ImageApp()
    async with app.run_test(size=(200, 60)) as pilot:
        app.view.show(plain("red"))
        await until(pilot, lambda: "▀" * 120 in app.lines[0])
        assert "▀" * 120 in app.lines[59]


async def test_ascii_and_no_colour_render_characters() -> None:
    for switch in ("ascii", "no_color"):
        app = ImageApp()
        setattr(app, switch, True)
        async with app.run_test(size=(40, 20)) as pilot:
            app.view.show(plain("white"))
            await until(pilot, lambda app=app: app.lines[0] == "@" * 40)  # type: ignore[misc]


async def test_none_removes_the_image() -> None:
    app = ImageApp()
    async with app.run_test(size=(40, 20)) as pilot:
        app.view.show(plain("red"))
        await until(pilot, lambda: "▀" in app.lines[0])
        app.view.show(None)
        assert "".join(app.lines).strip() == ""


async def test_the_reason_is_shown_in_place_of_the_image() -> None:
    app = ImageApp()
    async with app.run_test(size=(60, 5)) as pilot:
        app.view.show(b"nonsense")
        await until(pilot, lambda: bool(app.lines[2].strip()))
        assert app.lines[2].strip() == "image cannot be shown (not JPEG, PNG or WEBP)"
        app.view.show(plain("red"))
        await until(pilot, lambda: "▀" in app.lines[2])


async def test_only_changed_rows_are_repainted() -> None:
    app = ImageApp()
    image = Image.new("RGB", (20, 20), "red")
    async with app.run_test(size=(20, 10)) as pilot:
        app.view.show(encoded(image))
        await until(pilot, lambda: "▀" in app.lines[0])
        app.view.painted.clear()
        image.paste((0, 255, 0), (0, 8, 20, 10))
        app.view.show(encoded(image))
        await until(pilot, lambda: (0, 255, 0) in app.colours)
        assert app.view.painted == [4]
        app.view.painted.clear()
        app.view.show(encoded(image))
        await app.workers.wait_for_complete()
        assert app.view.painted == []


async def test_the_image_follows_the_size_of_the_widget() -> None:
    app = ImageApp()
    async with app.run_test(size=(20, 10)) as pilot:
        app.view.show(plain("red"))
        await until(pilot, lambda: "▀" in app.lines[0])
        await pilot.resize_terminal(60, 30)
        await until(pilot, lambda: len(app.lines) == 30 and "▀" * 60 in app.lines[29])


PAUSING = """
import signal, sys
from comfytui.decoding import decoder_process as it
decode = it.decode
it.decode = lambda data, *where, **how: signal.pause() if data == b"slow" else decode(data, *where, **how)
it.serve(sys.stdin.buffer, sys.stdout.buffer)
"""
"""A decoder that never finishes one image."""


async def test_an_image_that_never_finishes_gives_way_to_a_newer_one() -> None:
    decoder = Decoder((sys.executable, "-P", "-c", PAUSING))
    app = ImageApp(decoder=decoder)
    async with app.run_test(size=(20, 10)) as pilot:
        app.view.show(b"slow")
        await until(pilot, lambda: decoder._process is not None)
        app.view.show(plain("#0000ff"))
        await until(pilot, lambda: app.colours == {(0, 0, 255)})
        await pilot.pause()
        assert app.colours == {(0, 0, 255)}
    decoder.stop()


NEVER_DONE = """
import sys
from textual.app import App
from comfytui.ui.images import image_view
from comfytui.decoding.decoder import Decoder
decoder = Decoder((sys.executable, "-c", "import time; time.sleep(600)"))

class Screen(App):
    def compose(self):
        yield image_view.ImageView(decoder=decoder)

    def on_mount(self):
        self.query_one(image_view.ImageView).styles.height = 10
        self.call_after_refresh(self.query_one(image_view.ImageView).show, b"slow")
        self.set_interval(0.05, self.end)

    def end(self):
        if decoder._process:
            self.exit()

Screen().run(headless=True)
assert decoder._process.poll() is None
print(decoder._process.pid, flush=True)
"""


def test_the_program_ends_while_an_image_is_decoded() -> None:
    # Its decoder ignores the end of its input, and runs for ten minutes.
    program = subprocess.run([sys.executable, "-c", NEVER_DONE], stdout=subprocess.PIPE, check=True, timeout=100)
    os.kill(int(program.stdout), signal.SIGKILL)


async def test_a_preview_that_never_finishes_does_not_delay_a_finished_image() -> None:
    decoder = Decoder((sys.executable, "-P", "-c", PAUSING))
    app = ImageApp(decoder=decoder)
    async with app.run_test(size=(20, 10)) as pilot:
        app.view.show(b"slow", max_cells=PREVIEW_CELLS)
        await until(pilot, lambda: decoder._process is not None)
        app.view.show(plain("red"), max_cells=PREVIEW_CELLS)
        app.view.show(plain("#0000ff"))
        await until(pilot, lambda: app.colours == {(0, 0, 255)})
    decoder.stop()


async def test_previews_wait_for_the_budget() -> None:
    app = ImageApp(budget=1)
    async with app.run_test(size=PREVIEW_CELLS) as pilot:
        app.view.show(plain("red"), max_cells=PREVIEW_CELLS)
        await until(pilot, lambda: (255, 0, 0) in app.colours)
        app.view.painted.clear()
        for _ in range(10):
            app.view.show(plain("#0000ff"), max_cells=PREVIEW_CELLS)
            await pilot.pause(0.01)
        assert app.view.painted == []


async def test_the_newest_preview_is_painted_in_the_end_and_those_in_between_are_not() -> None:
    app = ImageApp(budget=20_000)
    async with app.run_test(size=PREVIEW_CELLS) as pilot:
        app.view.show(encoded(Image.effect_noise((20, 20), 90)), max_cells=PREVIEW_CELLS)
        await until(pilot, lambda: "▀" in app.lines[0])
        app.view.painted.clear()
        for red in range(100, 130):
            app.view.show(encoded(Image.new("RGB", (20, 20), (red, 0, 0))), max_cells=PREVIEW_CELLS)
        await until(pilot, lambda: app.colours == {(129, 0, 0)})
        assert sorted(app.view.painted) == list(range(10))


async def test_a_finished_image_does_not_wait_for_the_budget() -> None:
    app = ImageApp(budget=1)
    async with app.run_test(size=(20, 10)) as pilot:
        app.view.show(plain("red"))
        await until(pilot, lambda: (255, 0, 0) in app.colours)
        app.view.show(plain("#00ff00"), max_cells=PREVIEW_CELLS)
        app.view.show(plain("#0000ff"))
        await until(pilot, lambda: (0, 0, 255) in app.colours)


DRAW = """
import io
from PIL import Image
from textual.geometry import Size
from comfytui.ui.images.image_render import render_image

PREVIEW_CELLS = (20, 10)
file = io.BytesIO()
Image.new("RGB", (64, 64), "red").save(file, "PNG")
assert render_image(file.getvalue(), Size(20, 10), (0, 0, 0)).strips
"""


def written_to_terminal(code: str) -> bytes:
    """Run a program with a terminal as its standard input, output and error, and return what it writes."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code], stdin=theirs, stdout=theirs, stderr=theirs
    ) as run:
        os.close(theirs)
        written = b""
        while run.poll() is None or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    written += os.read(ours, 4096)
                except OSError:  # The program has ended, and its side of the terminal is closed.
                    break
    os.close(ours)
    assert run.returncode == 0, written
    return written


def test_the_terminal_is_never_queried() -> None:
    assert written_to_terminal(DRAW) == b""
    assert b"\x1b" in written_to_terminal("import textual_image.renderable")
