"""What a session keeps of jobs is limited, whatever a server sends and for however long."""

from comfytui.comfy.protocol.events import Executed, ExecutionCached, ExecutionError, ExecutionStart, Output
from comfytui.session.events import FinishedPrompt, HistorySnapshot, QueuedPrompt, QueueSnapshot
from comfytui.session.model import BatchTag, Failure, JobStatus
from comfytui.workflow.parameters import GenerationParameters
from tests.session.builders import CLASSES, ME, Session, queued_prompt

FOX = "\U0001f98a"
MIB = 2**20


def failed(prompt_id: str, ended: float, batch_tag: BatchTag | None = None) -> FinishedPrompt:
    failure = Failure("It broke.", "3", "KSampler", "RuntimeError", (FOX + prompt_id * 2_000,))
    return FinishedPrompt(queued_prompt(prompt_id, 0, batch_tag=batch_tag), "error", failure=failure, ended=ended)


def test_adopted_jobs_from_the_history_are_limited_in_number() -> None:
    session = Session()
    mine = session.plan("mine", 4)
    session.do(HistorySnapshot(tuple(failed(prompt, 1.0) for prompt in mine)))
    for poll in range(3):
        session.do(HistorySnapshot(tuple(failed(f"{poll}-{n}", 10.0 + 600 * poll + n) for n in range(600))))
    jobs, batches = session.state.jobs, session.state.batches
    assert set(mine) < set(jobs)
    assert [key for key in jobs if key not in mine] == [f"{n // 600}-{n % 600}" for n in range(800, 1_800)]
    assert {prompt for batch in batches.values() for prompt in batch.prompt_ids} == set(jobs)
    assert session.line("mine") == "0 of 4 done, 4 failed"
    before = session.state
    assert session.do(HistorySnapshot(tuple(failed(f"0-{n}", 10.0 + n) for n in range(60)))) is before


def test_images_of_an_adopted_batch_are_dropped_one_by_one() -> None:
    session = Session()
    tags = [BatchTag("b", n, 1_100, "once") for n in range(1, 1_101)]
    session.do(HistorySnapshot(tuple(failed(f"p{batch_tag.index}", batch_tag.index, batch_tag) for batch_tag in tags)))
    session.do(HistorySnapshot((failed("later", 9_999.0),)))
    assert session.state.batches["b"].prompt_ids == tuple(f"p{n}" for n in range(102, 1_101))


def test_the_newest_tracebacks_are_kept() -> None:
    session = Session()
    ids = session.plan("mine", 600)
    for prompt in ids:
        session.do(ExecutionError(prompt, "3", "KSampler", "RuntimeError", "It broke.", (FOX * 5_000,)))
    failures = [failure for prompt in ids if (failure := session.state.jobs[prompt].failure)]
    kept = [bool(failure.traceback) for failure in failures]
    assert all(failure.message for failure in failures)
    assert kept == sorted(kept)
    assert 100 <= sum(kept) < 250


def test_the_files_of_all_jobs_are_limited_in_size() -> None:
    session = Session()
    ids = session.plan("mine", 12)
    for prompt in ids:
        session.do(ExecutionStart(prompt, 1))
        for frame in range(4):
            files = tuple(Output(f"{frame}-{n}.png", FOX * 1_000, node="9") for n in range(900))
            session.do(Executed(prompt, "9", outputs=files, text=(FOX * 60_000,)))
    jobs = [session.state.jobs[prompt] for prompt in ids]
    assert all(job.outputs for job in jobs)
    assert max(len(job.outputs) for job in jobs) < 2_100
    assert 4_000 * sum(len(job.outputs) for job in jobs) + 240_000 * sum(len(job.text) for job in jobs) < 48 * MIB


def test_a_hundred_files_per_job_are_all_kept() -> None:
    session = Session()
    ids = session.plan("mine", 200)
    for prompt in ids:
        files = tuple(Output(f"ComfyUI_{prompt}_{n:05}_.png", "2026/01", node="9") for n in range(100))
        session.do(ExecutionStart(prompt, 1), Executed(prompt, "9", outputs=files))
    assert {len(session.state.jobs[prompt].outputs) for prompt in ids} == {100}


def test_a_queue_that_changes_entirely_at_each_poll_leaves_little_behind() -> None:
    session = Session()
    for poll in range(4):
        session.do(
            QueueSnapshot((), tuple(queued_prompt(f"{poll}-{n}", n) for n in range(4_000)), requested_at=session.now)
        )
    assert len(session.state.jobs) <= 4_000 + 2 * 1_000
    assert len(session.state.batches) <= 2_000
    queued = [key for key, job in session.state.jobs.items() if job.status is JobStatus.QUEUED and not job.left_queue]
    assert set(queued) == {f"3-{n}" for n in range(4_000)}


def test_parameters_are_limited_in_size_over_several_polls() -> None:
    session = Session()
    queue: list[QueuedPrompt] = []
    for poll in range(3):
        texts = [f"{poll}-{n}" + FOX * 2_000 for n in range(3_000)]
        queue += [QueuedPrompt(text[:9], 0, "they", None, GenerationParameters(prompt=text), CLASSES) for text in texts]
        session.do(QueueSnapshot((), tuple(queue), requested_at=session.now))
    assert len(session.state.jobs) == len(queue)
    assert 4 * sum(len(job.parameters.prompt) for job in session.state.jobs.values()) < 48 * MIB


def test_cached_nodes_are_limited() -> None:
    session = Session(client_ids=(ME,))
    (prompt,) = session.plan("mine", 1)
    session.do(ExecutionStart(prompt, 1))
    for frame in range(4):
        session.do(ExecutionCached(prompt, tuple(f"{frame}-{n}" for n in range(8_000))))
    (run,) = session.state.runs.values()
    assert len(run.cached_nodes) < 20_000
