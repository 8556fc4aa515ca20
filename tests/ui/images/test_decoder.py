"""Pictures are decoded by a process that no picture makes large or keeps busy, and that can be given up."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from comfytui.ui.images.decoder import DecodeError, Decoder
from tests.hostile.pictures import BOMBS, other_format, png_of, scan_bomb

ROOM = (40, 20)
BLACK = (0, 0, 0)
RED = other_format("PNG")
MEMORY = 300 * 2**20
REASONS = {"not JPEG, PNG or WEBP", "broken", "too large", "too many scans"}

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")


def decoder_with(change: str) -> Decoder:
    """A decoder with a change to its making: lines of Python that run before it, with `it` for its module."""
    run = "import sys; from comfytui.ui.images import decoder_process as it\n"
    return Decoder(
        (sys.executable, "-P", "-c", f"{run}{change}\nit._limit(); it.serve(sys.stdin.buffer, sys.stdout.buffer)")
    )


def outcome_of(decoder: Decoder, data: bytes) -> str:
    """The size of a picture in pixels, or why it has none."""
    try:
        pixels = decoder.decode(data, ROOM, BLACK)
    except DecodeError as error:
        return str(error)
    return f"{pixels.width}x{pixels.height}"


def pid_of(decoder: Decoder) -> int:
    assert decoder._child is not None
    return decoder._child.pid


def most_memory(pid: int) -> int:
    """Bytes that a process had at most."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    it = Decoder()
    yield it
    it.stop()


@needs_proc
def test_no_picture_makes_it_large_or_ends_it(decoder: Decoder) -> None:
    decoder.decode(RED, ROOM, BLACK)
    first = pid_of(decoder)
    came = {name: outcome_of(decoder, make()) for name, make in BOMBS.items()}
    assert {outcome for outcome in came.values() if outcome not in REASONS} == {"40x40"}, came
    assert pid_of(decoder) == first
    assert most_memory(first) < MEMORY


@pytest.mark.parametrize("name", ["webp of 16 M pixels", "png of 16 M pixels", "animated png", "animated webp"])
def test_what_is_large_or_moves_is_shown(decoder: Decoder, name: str) -> None:
    assert decoder.decode(BOMBS[name](), ROOM, BLACK).width == 40


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("webp that claims 64 M pixels", "too large"),
        ("webp whose canvas claims 280 T pixels", "too large"),
        ("png that claims 4 G pixels", "too large"),
        ("jpeg with 20,000 scans", "too many scans"),
        ("gif", "not JPEG, PNG or WEBP"),
        ("tiff", "not JPEG, PNG or WEBP"),
    ],
)
def test_what_is_not_shown_has_its_reason(decoder: Decoder, name: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decoder.decode(BOMBS[name](), ROOM, BLACK)


def test_a_picture_that_takes_for_ever_is_given_up_and_the_next_one_shown() -> None:
    decoder = decoder_with("it.MOST_SCANS, it.CPU_SECONDS = 10**9, 0.3")
    try:
        with pytest.raises(DecodeError, match="takes too long"):
            decoder.decode(scan_bomb(), ROOM, BLACK)
        assert decoder.decode(RED, ROOM, BLACK).data[:3] == b"\xff\0\0"
    finally:
        decoder.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not limit this memory")
def test_a_picture_that_takes_too_much_memory_is_given_up_and_the_next_one_shown() -> None:
    decoder = decoder_with("it.MEMORY = 60 * 2**20")
    try:
        with pytest.raises(DecodeError, match=r"too large|broken"):
            decoder.decode(BOMBS["webp of 16 M pixels"](), ROOM, BLACK)
        assert decoder.decode(RED, ROOM, BLACK).width == 40
    finally:
        decoder.stop()


def test_it_can_be_stopped_in_the_middle_of_a_picture() -> None:
    decoder = decoder_with("import signal; it.decode = lambda *_: signal.pause()")
    reasons: list[str] = []

    def ask() -> None:
        try:
            decoder.decode(RED, ROOM, BLACK)
        except DecodeError as error:
            reasons.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    while decoder._child is None:
        time.sleep(0.01)
    decoder.stop()
    asking.join(30)
    assert reasons == ["takes too long"]


@pytest.mark.parametrize(
    "reply",
    [
        "it.REPLY.pack(65535, 65535, 2**32 - 1)",
        "it.REPLY.pack(41, 40, 41 * 40 * 3)",
        "it.REPLY.pack(40, 40, 40 * 40 * 3 - 1) + bytes(40 * 40 * 3)",
        "it.REPLY.pack(0, 0, 2**20) + bytes(2**20)",
        "b'x'",
    ],
)
def test_a_decoder_that_was_taken_over_is_not_believed(reply: str) -> None:
    decoder = decoder_with(f"it._answer = lambda *_: {reply}")
    if reply == "b'x'":
        threading.Timer(0.5, decoder.kill).start()
    with pytest.raises(DecodeError, match="takes too long"):
        decoder.decode(RED, ROOM, BLACK)
    assert decoder._child is None


def test_a_decoder_that_cannot_be_started_is_told() -> None:
    with pytest.raises(DecodeError):
        Decoder(("/nonexistent/python",)).decode(RED, ROOM, BLACK)


@needs_proc
def test_it_ends_with_the_program_that_is_killed() -> None:
    code = (
        "import os, sys\nfrom comfytui.ui.images.decoder import DECODER\n"
        f"DECODER.decode({png_of(8, 8)!r}, (4, 4), None)\n"
        "print(DECODER._child.pid, flush=True)\nos.kill(os.getpid(), 9)"
    )
    program = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False, timeout=60)
    assert program.returncode == -signal.SIGKILL
    pid, over = int(program.stdout), time.monotonic() + 30
    while _runs(pid):
        assert time.monotonic() < over, "the decoder outlived the program"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return "decoder_process" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
