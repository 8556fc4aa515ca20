"""The program from start to end, as a user runs it in a terminal, on the embedded server."""

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from comfytui.workflow.builtin import txt2img
from tests.terminal import ENTER, ESCAPE, F1, F5, terminal


@pytest.fixture
def html_server() -> Iterator[str]:
    """A web server that is not ComfyUI."""
    handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def children_of(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
def test_a_new_user_finds_help_generates_images_and_leaves_no_process_behind(
    size: tuple[int, int], tmp_path: Path
) -> None:
    columns, rows = size
    demo = ("demo", "--steps-per-second", "40", "--other-clients", "0", "--output", str(tmp_path))
    with terminal(*demo, columns=columns, rows=rows) as it:
        it.shows("F5 Generate  ctrl+o Open  F1 Help  esc Commands")
        it.send(F1)
        it.shows("next or previous field")
        it.send(ESCAPE)
        it.hides("next or previous field")
        it.send("a red fox in snow", F5)
        it.shows(" of 4  running")
        it.shows(" of 4 - Step ")
        it.shows("4 of 4 done")
        children = children_of(it.process.pid)  # the simulator, and the image decoder
        it.send(ESCAPE, "g", ENTER)
        it.shows("seed ")
        it.send(F1)
        it.shows("Save all")
        it.send(F1, "s")
        it.shows("Saved")
        it.send(ESCAPE)
        it.shows("q Detach")
        it.send("q")
        assert it.exit_code() == 0
    assert [file.suffix for file in tmp_path.iterdir()] == [".png"]
    assert children
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def test_the_demo_ends_with_a_program_that_is_killed() -> None:
    with terminal("demo") as it:
        it.shows("live")
        (simulator,) = children_of(it.process.pid)
        it.process.kill()
        it.process.wait()
    descriptor = os.pidfd_open(simulator) if Path(f"/proc/{simulator}").exists() else None
    if descriptor is not None:
        import select

        assert select.select([descriptor], [], [], 30)[0], "the simulator outlived the program"
        os.close(descriptor)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["http://127.0.0.1:9"], "Nothing listens at 127.0.0.1:9"),
        (["http://no-such-host.invalid"], "no-such-host.invalid"),
    ],
)
def test_an_unreachable_server_ends_it_with_a_message(argv: list[str], message: str) -> None:
    with terminal(*argv) as it:
        assert it.exit_code() == 1
        assert message in it.text
        assert "Traceback" not in it.text


def test_a_folder_that_cannot_be_written_ends_it_with_a_message() -> None:
    with terminal("http://127.0.0.1:9", "--output", "/proc/images") as it:
        assert it.exit_code() == 2
        assert "Nothing was saved in /proc" in it.text


def test_something_else_at_the_port_is_reported(html_server: str) -> None:
    with terminal(html_server) as it:
        assert it.exit_code() == 1
        assert "not ComfyUI" in it.text


def test_no_escape_of_a_prompt_reaches_the_terminal(tmp_path: Path) -> None:
    graph = dict(txt2img().graph)
    evil = "fox \x1b]0;OWNED\x07 \x1b[31mRED \x9b2J C1 \u202eRTL \x08\x08 [bold]m[/nope]"
    graph["6"] = {**graph["6"], "inputs": {**graph["6"]["inputs"], "text": evil}}
    file = tmp_path / "evil.json"
    file.write_text(json.dumps(graph))
    with terminal("demo", "--workflow", str(file), "--other-clients", "0", "--steps-per-second", "50") as it:
        it.shows("live")
        it.send("\x1b[200~pasted \x1b[32m\x9b3J\x1b[201~", F5)
        it.shows("4 of 4 done")
        it.send(ESCAPE, "/", "\x1b[200~\x9b4J\x1b[201~", ESCAPE, "g", ENTER)
        it.shows("seed ")
        assert it.process.poll() is None
        for escape in (b"\x1b]0;OWNED", b"\x1b[31mRED", b"\xc2\x9b", b"\xe2\x80\xae", b"\x08"):
            assert escape not in it.written


def test_a_password_never_reaches_the_screen(html_server: str) -> None:
    with terminal(
        html_server.replace("//", "//user:hunter2@") + "?token=s3cret", "--header", "X-Key: abracadabra"
    ) as it:
        assert it.exit_code() == 1
        for secret in (b"hunter2", b"s3cret", b"abracadabra"):
            assert secret not in it.written
