"""`comfytui wait`, as a script uses it."""

import json
from pathlib import Path

import pytest

from comfytui.cli.main import main
from comfytui.comfy.server import Server
from comfytui.service.connection.finished_jobs import HISTORY_PAGE
from comfytui.session.model import JobStatus
from comfytui.sim.server import SimServer
from tests.cli.commands import MODEL, PROGRAM, QUICK, command, ended, submitted
from tests.sim.gate import Gate
from tests.waiting import eventually
from tests.watcher import watching

UNKNOWN = "0b9c6a4e-3f5d-4c0e-9d6e-2f1f0c7a8b15"


def saved_file(path: str) -> bytes:
    return Path(path).read_bytes()


async def test_a_shell_script_goes_on_once_the_jobs_are_done(tmp_path: Path) -> None:
    gate = Gate()
    gate.let_start()
    async with SimServer(QUICK, clock=gate) as sim:
        batch = await submitted(sim, tmp_path, 2)
        script = 'server=$1; shift; "$@" wait "$server" --batch "$BATCH" && echo all done'
        shell = ("sh", "-c", f"BATCH={batch.id}; {script}", "sh", sim.url, *PROGRAM)
        async with command(tmp_path, program=shell) as running:
            await eventually(lambda: len(sim.sockets.clients) == 1, "its socket")
            await gate.let_all()
            *images, last, echo = (await running.end()).lines
    # The one whose files are known first comes first.
    first, second = sorted(images, key=lambda line: line.partition("Image")[2])
    assert first.startswith(f"{batch.prompt_ids[0]}  Image 1 of 2 done: ")
    assert second.startswith(f"{batch.prompt_ids[1]}  Image 2 of 2 done: ")
    assert (last, echo) == (f"Batch {batch.id}  2 of 2 done", "all done")


async def test_each_job_is_one_line_also_those_of_others(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        mine = await submitted(sim, tmp_path, 1)
        other = await submitted(sim, tmp_path, 1, other_user=True)
        ids = [*mine.prompt_ids, *other.prompt_ids]
        text = await ended(tmp_path, "wait", sim.url, *ids)
        data = await ended(tmp_path, "wait", sim.url, *ids, "--json")
    assert (text.code, data.code) == (0, 0), text.err + data.err
    assert sorted(line.split()[0] for line in text.lines) == sorted(ids)
    events = [json.loads(line) for line in data.lines]
    assert sorted(event["promptId"] for event in events) == sorted(ids)
    assert {event["event"] for event in events} == {"done"}


async def test_files_are_saved_and_named_in_the_events(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        batch = await submitted(sim, tmp_path, 2)
        folder = tmp_path / "new" / "images"
        async with command(
            tmp_path, "wait", sim.url, "--batch", batch.id, "--json", "--output", str(folder)
        ) as running:
            await eventually(lambda: len(sim.sockets.clients) == 1, "its socket")
            await gate.let_all()
            result = await running.end()
        assert (result.code, result.err) == (0, "")
        *images, last = result.events
        saved = {event["promptId"]: event["outputs"][0] for event in images}
        assert [each["path"] for each in last["outputs"]] == [saved[each]["path"] for each in batch.prompt_ids]
        for each in saved.values():
            assert Path(each["path"]).parent == folder
            assert saved_file(each["path"]) == sim.files.get("output", "", each["filename"])


async def test_files_of_single_jobs_are_saved_also_if_they_ended_before(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        mine = await submitted(sim, tmp_path, 1)
        other = await submitted(sim, tmp_path, 1, other_user=True)
        ids = [*mine.prompt_ids, *other.prompt_ids]
        text = await ended(tmp_path, "wait", sim.url, *ids, "--output", str(tmp_path / "text"))
        data = await ended(tmp_path, "wait", sim.url, *ids, "--output", str(tmp_path / "data"), "--json")
    assert (text.code, data.code) == (0, 0), text.err + data.err
    assert sum(f": {tmp_path / 'text'}/" in line for line in text.lines) == len(text.lines) == 2
    assert sorted(event["promptId"] for event in data.events) == sorted(ids)
    assert all(Path(event["outputs"][0]["path"]).parent == tmp_path / "data" for event in data.events)


async def test_what_cannot_be_saved_is_counted_in_the_last_line(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        batch = await submitted(sim, tmp_path, 1)
        folder = tmp_path / "images"
        async with command(tmp_path, "wait", sim.url, "--batch", batch.id, "--output", str(folder)) as running:
            await eventually(lambda: len(sim.sockets.clients) == 1, "its socket")
            folder.write_text("in the way")
            await gate.let_all()
            result = await running.end()
        refused = await ended(tmp_path, "wait", sim.url, "--batch", batch.id, "--output", str(folder))
    assert (result.code, result.lines[-1]) == (1, "1 of 1 image could not be saved.")
    assert (refused.code, refused.out) == (2, "")


@pytest.mark.parametrize("command", [["run", "box"], ["wait", "box", "--mine"], ["box"]], ids=["run", "wait", "open"])
def test_an_empty_name_is_no_folder(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([*command, "--output", ""])
    assert raised.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("'--output': The name of the folder is empty.")


async def test_a_job_that_ended_long_ago_is_found_in_the_history(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        async with watching(Server.from_url(sim.url)) as other:
            await other.live()
            first, *_ = (await other.submit(HISTORY_PAGE + 5, model=MODEL)).prompt_ids
            await eventually(lambda: len(sim.queue.history) == HISTORY_PAGE + 5, "the end of all")
        waited = await ended(tmp_path, "wait", sim.url, first)
    assert (waited.code, waited.err) == (0, "")
    assert waited.out.startswith(f"{first}  ")


async def test_the_exit_code_is_that_of_the_worst(tmp_path: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        async with watching(Server.from_url(sim.url), folder=tmp_path / "comfytui") as watcher:
            await watcher.live()
            batch = await watcher.submit(2, model=MODEL)
            await watcher.until(batch, JobStatus.QUEUED)
            await watcher.cancel(batch.prompt_ids[1])
            await gate.let_all()
            await watcher.until(batch)
        assert (await ended(tmp_path, "wait", sim.url, *batch.prompt_ids)).code == 1
        assert (await ended(tmp_path, "wait", sim.url, batch.prompt_ids[0])).code == 0


async def test_a_lost_job_and_a_time_limit_have_codes_of_their_own(tmp_path: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        batch = await submitted(sim, tmp_path, 1)
        late = await ended(tmp_path, "wait", sim.url, "--mine", "--timeout", "1.5")
        # On a busy machine the time may be over before the server has answered.
        reasons = ("Not all have ended within 1.5 s.\n", "The server did not answer within 1.5 s.\n")
        assert (late.code, late.out) == (4, "")
        assert late.err in reasons
        async with command(tmp_path, "wait", sim.url, *batch.prompt_ids) as running:
            await eventually(lambda: len(sim.sockets.clients) == 1, "its socket")
            await sim.restart()
            lost = await running.end()
    assert lost.code == 3
    assert lost.out == f"{batch.prompt_ids[0]}  Image 1 of 1 lost: no longer on the server\n"


async def test_a_job_that_another_user_deletes_is_lost(tmp_path: Path) -> None:
    gate = Gate()
    gate.let_start()
    async with SimServer(QUICK, clock=gate) as sim, watching(Server.from_url(sim.url)) as other:
        await other.live()
        first, *_, last = (await other.submit(3, model=MODEL)).prompt_ids
        await gate.let_steps(4)
        async with command(tmp_path, "wait", sim.url, first, last) as running:
            assert (await running.line()).startswith(first)
            await other.cancel(last)
            lost = await running.end()
        assert (lost.code, lost.lines) == (3, [f"{last}  Image 1 of 1 lost: no longer on the server"])


async def test_what_is_unknown_or_missing_is_a_usage_error(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        unknown = await ended(tmp_path, "wait", sim.url, UNKNOWN)
        batch = await ended(tmp_path, "wait", sim.url, "--batch", "x\x1b[2J")
        nothing = await ended(tmp_path, "wait", sim.url)
        none_open = await ended(tmp_path, "wait", sim.url, "--mine")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err == f"Error: Job {UNKNOWN} is in neither the server's queue nor its history.\n"
    assert batch.code == 2
    assert "\x1b" not in batch.err
    assert (nothing.code, nothing.err.splitlines()[-1]) == (2, "Error: Give the ids of jobs, or --batch ID, or --mine.")
    assert (none_open.code, none_open.out, none_open.err) == (0, "", "None of your jobs is open.\n")
