"""The run of one prompt, frame by frame: nodes entered and finished, steps, passes, and the share of the whole.

Every piece of work that gets done takes its part, by weight, of what is left of the bar. So the bar never falls, and
it moves on when a second pass, a tile or a subgraph turns up that the graph did not announce.
"""

from collections.abc import Collection
from dataclasses import replace
from math import exp, isfinite

from comfytui.session.model import Job, Phase
from comfytui.session.runs.phases import LIGHT, USUAL_STEPS, phase_of, samples
from comfytui.session.state import Run

MOST_STEPS = 10**12
"""Counters beyond this are cut: some nodes count bytes, hostile ones count anything."""
HEAVIEST = 10_000.0
"""The most that one pass can weigh."""
MOST_CACHED = 10_000
"""Nodes of one run from the cache that are told apart."""
MEMORY = 10.0
"""Seconds after which a step counts for a third in the measured speed."""
PATIENCE = 10.0
"""Seconds without a step that are never a reason to worry."""
STEPS = 5
"""Usual steps that may pass without one."""


def begun(job: Job, at: float, *, seen_from_start: bool, started_ms: int | None = None) -> Run:
    """A run that begins at monotonic second `at`, or (not `seen_from_start`) is first seen then."""
    left = sum(_weight(job, node) for node in job.classes)
    phase = Phase.STARTING if seen_from_start else Phase.WORKING
    return Run(
        job.prompt_id, at, seen_from_start, started_ms, phase=phase, left=left, began=at if seen_from_start else None
    )


def skipped(run: Run, job: Job, nodes: Collection[str]) -> Run:
    """The run with nodes whose results the server already has."""
    for node in nodes:
        run = finished(run, job, node)
    known = len(run.cached) >= MOST_CACHED or run.cached >= set(nodes)
    return run if known else replace(run, cached=run.cached | set(nodes))


def entered(run: Run, job: Job, node: str, display: str | None) -> Run:
    """The run with `node` at work; the one before it is done unless it is only the surroundings of this one."""
    shown = _shown(job, node, display)
    if run.node == shown:
        return run
    if run.node is not None:
        run = finished(run, job, run.node)
    return replace(run, node=shown, phase=_phase(run, job, shown))


def finished(run: Run, job: Job, node: str) -> Run:
    """The run with `node` done; nodes that the graph does not have count for nothing."""
    if node in run.done or node not in job.classes:
        return run
    rest = _rest(run) if node == run.pass_node else _weight(job, node)
    return replace(_credited(run, rest), done=run.done | {node})


def stepped(run: Run, job: Job, node: str | None, display: str | None, value: float, top: float, at: float) -> Run:
    """The run with step `value` of `top` of a node; a step told twice changes nothing, a drop begins a new pass."""
    if not (isfinite(value) and isfinite(top)) or top < 1:
        return run
    steps = int(min(top, MOST_STEPS))
    step = int(min(max(value, 0), steps))
    node = node or run.pass_node or run.node or ""
    same_pass = node == run.pass_node and steps == run.steps
    if same_pass and step == run.step:
        return run
    if not same_pass or step < run.step:
        run = _new_pass(run, job, node, display, steps)
    return _advanced(run, job, step, at)


def _new_pass(run: Run, job: Job, node: str, display: str | None, steps: int) -> Run:
    shown = _shown(job, node, display) if node in job.classes or display else run.node or node
    announced = node in job.classes and node not in run.done and node != run.pass_node
    heavy = node not in job.classes or samples(job.classes[node])
    weight = min(float(steps), HEAVIEST if node in job.classes else USUAL_STEPS) if heavy else LIGHT
    counted = _weight(job, node) if announced else _rest(run) if node == run.pass_node else 0.0
    return replace(
        run,
        node=shown,
        pass_node=node,
        passes=run.passes + 1,
        step=0,
        steps=steps,
        weight=weight,
        left=max(run.left - counted, 0.0) + weight,
        recent_steps=0.0,
        recent_seconds=0.0,
        last_step=None,
    )


def _advanced(run: Run, job: Job, step: int, at: float) -> Run:
    if step == run.step:
        return run
    run = _credited(_timed(run, step - run.step, at), run.weight * (step - run.step) / run.steps)
    return replace(
        run,
        step=step,
        first_step=at if run.first_step is None else run.first_step,
        last_step=at,
        phase=phase_of(job.classes.get(run.node or "", "")),
    )


def _timed(run: Run, steps: int, at: float) -> Run:
    """The run with its speed measured: a burst of steps shares the time before it, a stall counts as a slow step."""
    if run.last_step is None:
        return run
    gone = max(at - run.last_step, 0.0)
    seconds = gone if run.step_seconds is None else min(gone, steps * overdue(run.step_seconds))
    kept = exp(-seconds / MEMORY)
    return replace(
        run,
        recent_steps=run.recent_steps * kept + steps,
        recent_seconds=run.recent_seconds * kept + seconds,
        stalled=run.stalled + gone - seconds,
    )


def overdue(step_seconds: float) -> float:
    """Seconds without a step after which a run that takes so long for one is said to stall."""
    return max(PATIENCE, STEPS * step_seconds)


def _credited(run: Run, weight: float) -> Run:
    if weight <= 0 or run.left <= 0:
        return run
    share = min(weight / run.left, 1.0)
    fraction = min(run.fraction + (1 - run.fraction) * share, 1.0)
    return replace(run, fraction=fraction, left=run.left * (1 - share))


def _rest(run: Run) -> float:
    """Weight of the running pass that is not done."""
    return run.weight * (1 - run.step / run.steps) if run.steps else 0.0


def _weight(job: Job, node: str) -> float:
    if not samples(job.classes.get(node, "")):
        return LIGHT
    return min(float(max(job.parameters.steps or USUAL_STEPS, 1)), HEAVIEST)


def _shown(job: Job, node: str, display: str | None) -> str:
    """The node to name on screen: inner nodes of a subgraph are unknown to the graph, their surroundings are not."""
    return node if node in job.classes or not display else display


def _phase(run: Run, job: Job, node: str | None) -> Phase:
    """What an entered node is busy with: a sampler waits for its model first, if that may be on its way."""
    phase = phase_of(job.classes.get(node or "", ""))
    return Phase.LOADING if phase is Phase.SAMPLING and run.first_step is None and cold(run, job) else phase


def cold(run: Run, job: Job) -> bool:
    """Whether a model of this run may still be on its way to the card: a loader ran, or the graph names none."""
    loaders = {node for node, kind in job.classes.items() if phase_of(kind) is Phase.LOADING}
    return not loaders or not loaders <= run.cached
