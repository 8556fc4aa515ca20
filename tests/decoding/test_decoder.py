"""Images are decoded by a process with limits on memory and time, which can be killed."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from comfytui.decoding.decoder import DecodeError, Decoder
from tests.hostile.image_bombs import BOMBS, other_format, png_of, scan_bomb
from tests.waiting import wait_until

MAX_CELLS = (40, 20)
BLACK = (0, 0, 0)
RED = other_format("PNG")
MEMORY_LIMIT = 300 * 2**20
REASONS = {"not JPEG, PNG or WEBP", "broken", "too large", "too many scans"}

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")


def decoder_with(change: str) -> Decoder:
    """Return a decoder that runs a line of Python before it serves, with its module as `it`."""
    program = f"""
import sys
from comfytui.decoding import decoder_process as it
{change}
it._limit_resources()
it.serve(sys.stdin.buffer, sys.stdout.buffer)
"""
    return Decoder((sys.executable, "-P", "-c", program))


def outcome_of(decoder: Decoder, data: bytes) -> str:
    """Return the size of the image in pixels, or why it was not decoded."""
    try:
        pixels = decoder.decode(data, MAX_CELLS, BLACK)
    except DecodeError as error:
        return str(error)
    return f"{pixels.width}x{pixels.height}"


def pid_of(decoder: Decoder) -> int:
    assert decoder._process is not None
    return decoder._process.pid


def peak_memory(pid: int) -> int:
    """Return the peak memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    it = Decoder()
    yield it
    it.stop()


@needs_proc
def test_no_image_exceeds_the_memory_limit_or_ends_the_process(decoder: Decoder) -> None:
    decoder.decode(RED, MAX_CELLS, BLACK)
    first = pid_of(decoder)
    outcomes = {name: outcome_of(decoder, make()) for name, make in BOMBS.items()}
    assert {outcome for outcome in outcomes.values() if outcome not in REASONS} == {"40x40"}, outcomes
    assert pid_of(decoder) == first
    assert peak_memory(first) < MEMORY_LIMIT


@pytest.mark.parametrize("name", ["webp of 16 M pixels", "png of 16 M pixels", "animated png", "animated webp"])
def test_large_and_animated_images_are_decoded(decoder: Decoder, name: str) -> None:
    assert decoder.decode(BOMBS[name](), MAX_CELLS, BLACK).width == 40


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
def test_an_image_that_is_not_decoded_has_a_reason(decoder: Decoder, name: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decoder.decode(BOMBS[name](), MAX_CELLS, BLACK)


def test_an_image_that_takes_too_long_is_given_up_and_the_next_one_decoded() -> None:
    decoder = decoder_with("it.MAX_SCANS, it.MAX_CPU_SECONDS = 10**9, 0.3")
    try:
        with pytest.raises(DecodeError, match="takes too long"):
            decoder.decode(scan_bomb(), MAX_CELLS, BLACK)
        assert decoder.decode(RED, MAX_CELLS, BLACK).data[:3] == b"\xff\0\0"
    finally:
        decoder.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not limit this memory")
def test_an_image_that_takes_too_much_memory_is_given_up_and_the_next_one_decoded() -> None:
    decoder = decoder_with("it.MAX_MEMORY = 60 * 2**20")
    try:
        with pytest.raises(DecodeError, match=r"too large|broken"):
            decoder.decode(BOMBS["webp of 16 M pixels"](), MAX_CELLS, BLACK)
        assert decoder.decode(RED, MAX_CELLS, BLACK).width == 40
    finally:
        decoder.stop()


def test_the_decoder_can_be_stopped_while_it_decodes() -> None:
    decoder = decoder_with("import signal; it.decode = lambda *_, **__: signal.pause()")
    reasons: list[str] = []

    def ask() -> None:
        try:
            decoder.decode(RED, MAX_CELLS, BLACK)
        except DecodeError as error:
            reasons.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: decoder._process is not None, "the process")
    decoder.stop()
    asking.join()
    assert reasons == ["takes too long"]


@pytest.mark.parametrize(
    "reply",
    [
        "it.REPLY.pack(65535, 65535, 2**32 - 1)",
        "it.REPLY.pack(41, 40, 41 * 40 * 3)",
        "it.REPLY.pack(40, 40, 40 * 40 * 3 - 1) + bytes(40 * 40 * 3)",
        "it.REPLY.pack(0, 0, 2**20) + bytes(2**20)",
    ],
)
def test_a_reply_that_cannot_be_true_is_rejected(reply: str) -> None:
    decoder = decoder_with(f"it._reply = lambda *_, **__: {reply}")
    with pytest.raises(DecodeError, match="takes too long"):
        decoder.decode(RED, MAX_CELLS, BLACK)
    assert decoder._process is None


def test_a_reply_cut_short_by_a_kill_is_rejected(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    reply = f"(os.write(1, b'x'), open({str(begun)!r}, 'w'), signal.pause())"
    decoder = decoder_with(f"import os, signal; it._reply = lambda *_, **__: {reply}")

    def kill_in_reply() -> None:
        wait_until(begun.exists, "the beginning of a reply")
        decoder.kill()

    killing = threading.Thread(target=kill_in_reply)
    killing.start()
    with pytest.raises(DecodeError, match="takes too long"):
        decoder.decode(RED, MAX_CELLS, BLACK)
    killing.join()
    assert decoder._process is None


def test_a_decoder_that_cannot_be_started_raises_the_same_error() -> None:
    with pytest.raises(DecodeError):
        Decoder(("/nonexistent/python",)).decode(RED, MAX_CELLS, BLACK)


@needs_proc
def test_the_decoder_ends_when_the_program_is_killed() -> None:
    code = (
        "import os, sys\nfrom comfytui.decoding.decoder import DECODER\n"
        f"DECODER.decode({png_of(8, 8)!r}, (4, 4), None)\n"
        "print(DECODER._process.pid, flush=True)\nos.kill(os.getpid(), 9)"
    )
    program = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False, timeout=60)
    assert program.returncode == -signal.SIGKILL
    wait_until(lambda: not _runs(int(program.stdout)), "the end of the decoder")


def _runs(pid: int) -> bool:
    try:
        return "decoder_process" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
