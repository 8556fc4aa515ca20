"""Processes that are killed at any moment, or write at once, lose nothing that was recorded."""

import random
from pathlib import Path

from comfytui.service.journal.journal import Journal
from comfytui.session.model import JobStatus
from tests.service.journal.batches import SERVER, graph
from tests.service.journal.child_processes import children

ROUNDS = 4


def test_recorded_steps_survive_a_kill(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    reported: dict[str, str] = {}
    clients: set[str] = set()
    for _ in range(ROUNDS):
        with children(tmp_path, "write", 2) as writers:
            for writer in writers:
                lines = [writer.read_line() for _ in range(chance.randrange(1, 60))]
                writer.process.kill()
                for line in (*lines, *writer.remaining_lines()):
                    step, name = line.split()
                    clients.update({name} if step == "claim" else ())
                    reported.update({} if step == "claim" else {name: step})
        with Journal.open(tmp_path) as journal:
            assert journal.warning is None
            batches = journal.restore(SERVER, clients, 10_000)
        prompts = {prompt.prompt_id: prompt for batch in batches for prompt in batch.prompts}
        for prompt_id, step in reported.items():
            prompt = prompts[prompt_id]
            assert prompt.classes
            match step:
                case "sending":
                    assert prompt.sending_since is not None or prompt.status is not JobStatus.SUBMITTING
                case "sent":
                    assert prompt.accepted_id == prompt_id
                case _:
                    assert (prompt.status, len(prompt.outputs)) == (JobStatus.SUCCEEDED, 1)
        # Each batch is complete or absent.
        assert all(len(batch.prompts) == batch.batch.total for batch in batches)
    assert len(reported) > ROUNDS
    with Journal.open(tmp_path) as journal:
        owning = {batch.client_id for batch in journal.restore(SERVER, clients, 0)}
        assert {claim.client_id for claim in journal.claim_ids(SERVER)} == owning


def test_a_kill_during_creation_leaves_a_usable_journal(tmp_path: Path) -> None:
    with children(tmp_path, "begin", 4) as crowd:
        for number, child in enumerate(crowd):
            while int(child.read_line()) < number:
                pass
            child.process.kill()
            child.process.wait()
    for folder in tmp_path.iterdir():
        with Journal.open(folder) as journal:
            assert (journal.warning, journal.folder) == (None, folder)


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    with children(tmp_path, "write_much", 2) as writers:
        for writer in writers:
            writer.read_line()
        for writer in writers:
            writer.write_line("100")
        assert [writer.read_line() for writer in writers] == ["done", "done"]
    with Journal.open(tmp_path) as journal:
        claims = [claim.client_id for claim in journal.claim_ids(SERVER)]
        batches = journal.restore(SERVER, claims)
    assert (len(claims), len(batches)) == (2, 200)
    assert all(batch.prompts[0].sending_since == 1.0 and batch.prompts[1].graph == graph(2) for batch in batches)
