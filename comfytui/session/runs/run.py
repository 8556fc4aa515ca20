"""Follows the run of one prompt frame by frame: nodes, steps, passes, and the share of the whole that is done.

Work that gets done takes its share, by weight, of what is left of the bar. So the bar never falls, and it moves on when
a second pass, a tile or a subgraph turns up that the graph did not announce.
"""

from collections.abc import Collection
from dataclasses import replace
from math import exp, isfinite

from comfytui.session.model import Job, Phase, Stamp
from comfytui.session.runs.phases import DEFAULT_STEPS, NODE_WEIGHT, is_sampler, phase_of
from comfytui.session.state import Run
from comfytui.timings import DEFAULT

MAX_STEPS = 10**12
"""Larger counters are clamped: some nodes count bytes, hostile ones count anything."""
MAX_PASS_WEIGHT = 10_000.0
"""Weight of one pass at most."""
MAX_CACHED_NODES = 10_000
"""Cached nodes of one run that are kept; a frame may exceed this once."""
SPEED_MEMORY_SECONDS = 10.0
"""Time constant of the measured speed: a step of that age counts for about a third."""
STALL_STEPS = 5
"""Recent step times that may pass without a step before that counts as a stall."""


def start_run(job: Job, at: Stamp, *, seen_from_start: bool, started_ms: int | None = None) -> Run:
    """Return a new run, with nothing done yet.

    Args:
        job: Its graph gives the weight of what there is to do.
        at: When it started or, unless `seen_from_start`, was first seen.
        seen_from_start: Whether its very first frame was received.
        started_ms: When the server started it, in milliseconds since 1970 by the server's clock; None if unknown.
    """
    left = sum(_node_weight(job, node) for node in job.classes)
    phase = Phase.STARTING if seen_from_start else Phase.WORKING
    return Run(
        job.prompt_id,
        at.monotonic,
        seen_from_start,
        started_ms,
        phase=phase,
        weight_left=left,
        started=at.monotonic if seen_from_start else None,
        clock_offset=at.wall - at.monotonic,
    )


def mark_cached(run: Run, job: Job, nodes: Collection[str]) -> Run:
    """Return the run with nodes whose results the server already has."""
    for node in nodes:
        run = finish_node(run, job, node)
    complete = len(run.cached_nodes) >= MAX_CACHED_NODES or run.cached_nodes >= set(nodes)
    return run if complete else replace(run, cached_nodes=run.cached_nodes | set(nodes))


def enter_node(run: Run, job: Job, node: str, display: str | None) -> Run:
    """Return the run with a node running; the previous node is done, unless this one is inside it.

    Args:
        run: The run.
        job: Its graph says which nodes there are.
        node: Id of the node, which is not in the graph if it belongs to a subgraph that was expanded.
        display: Id of the node of the graph that stands for it, as the frame says.
    """
    shown = _display_node(job, node, display)
    if run.node == shown:
        return run
    if run.node is not None:
        run = finish_node(run, job, run.node)
    return replace(run, node=shown, phase=_phase(run, job, shown))


def finish_node(run: Run, job: Job, node: str) -> Run:
    """Return the run with `node` done; nodes that are not in the graph count for nothing."""
    if node in run.finished_nodes or node not in job.classes:
        return run
    rest = _pass_weight_left(run) if node == run.pass_node else _node_weight(job, node)
    fraction, weight_left = _credit(run, rest)
    return replace(run, fraction=fraction, weight_left=weight_left, finished_nodes=run.finished_nodes | {node})


def record_step(
    run: Run,
    job: Job,
    node: str | None,
    display: str | None,
    value: float,
    top: float,
    at: float,
    min_stall: float = DEFAULT.session.min_stall,
) -> Run:
    """Return the run at step `value` of `top` of a node.

    A repeated step changes nothing; a smaller one, or another node or total, starts a new pass.

    Args:
        run: The run.
        job: Its job, which has the classes of its nodes.
        node: The node that reports the step; None on old servers, which mean the running one.
        display: The node of the graph to show in its place, if it is inside a subgraph.
        value: The step.
        top: The steps of the pass.
        at: The monotonic second in which the frame arrived.
        min_stall: Seconds without a step that never count as a stall.
    """
    if not (isfinite(value) and isfinite(top)) or top < 1:
        return run
    steps = int(min(top, MAX_STEPS))
    step = int(min(max(value, 0), steps))
    node = node or run.pass_node or run.node or ""
    same_pass = node == run.pass_node and steps == run.steps
    if same_pass and step == run.step:
        return run
    if not same_pass or step < run.step:
        run = _start_pass(run, job, node, display, steps)
    return _advance(run, job, step, at, min_stall)


def _start_pass(run: Run, job: Job, node: str, display: str | None, steps: int) -> Run:
    shown = _display_node(job, node, display) if node in job.classes or display else run.node or node
    weight = _pass_weight(job, node, steps)
    return replace(
        run,
        node=shown,
        pass_node=node,
        passes=run.passes + 1,
        step=0,
        steps=steps,
        pass_weight=weight,
        weight_left=max(run.weight_left - _planned_weight(run, job, node), 0.0) + weight,
        recent_steps=0.0,
        recent_seconds=0.0,
        last_step_at=None,
    )


def _pass_weight(job: Job, node: str, steps: int) -> float:
    if node not in job.classes:
        return min(float(steps), DEFAULT_STEPS)
    return min(float(steps), MAX_PASS_WEIGHT) if is_sampler(job.classes[node]) else NODE_WEIGHT


def _planned_weight(run: Run, job: Job, node: str) -> float:
    """Return the weight that `weight_left` holds already for the next pass of a node."""
    if node == run.pass_node:
        return _pass_weight_left(run)
    return _node_weight(job, node) if node in job.classes and node not in run.finished_nodes else 0.0


def _advance(run: Run, job: Job, step: int, at: float, min_stall: float) -> Run:
    if step == run.step:
        return run
    fraction, weight_left = _credit(run, run.pass_weight * (step - run.step) / run.steps)
    recent_steps, recent_seconds, stalled_seconds = _measure_speed(run, step - run.step, at, min_stall)
    return replace(
        run,
        step=step,
        fraction=fraction,
        weight_left=weight_left,
        recent_steps=recent_steps,
        recent_seconds=recent_seconds,
        stalled_seconds=stalled_seconds,
        first_step_at=at if run.first_step_at is None else run.first_step_at,
        last_step_at=at,
        phase=phase_of(job.classes.get(run.node or "", "")),
    )


def _measure_speed(run: Run, steps: int, at: float, min_stall: float) -> tuple[float, float, float]:
    """Return `recent_steps`, `recent_seconds` and `stalled_seconds` after some more steps.

    A burst of steps shares the time before it, and a stall counts as one slow step.
    """
    if run.last_step_at is None:
        return run.recent_steps, run.recent_seconds, run.stalled_seconds
    elapsed = max(at - run.last_step_at, 0.0)
    usual = run.step_seconds
    seconds = elapsed if usual is None else min(elapsed, steps * stall_threshold(usual, min_stall))
    decay = exp(-seconds / SPEED_MEMORY_SECONDS)
    stalled_seconds = run.stalled_seconds + elapsed - seconds
    return run.recent_steps * decay + steps, run.recent_seconds * decay + seconds, stalled_seconds


def stall_threshold(step_seconds: float, min_stall: float) -> float:
    """Return the seconds without a step after which a run of this speed stalls: at least `min_stall`."""
    return max(min_stall, STALL_STEPS * step_seconds)


def _credit(run: Run, weight: float) -> tuple[float, float]:
    """Return `fraction` and `weight_left` after work of this weight."""
    if weight <= 0 or run.weight_left <= 0:
        return run.fraction, run.weight_left
    share = min(weight / run.weight_left, 1.0)
    return min(run.fraction + (1 - run.fraction) * share, 1.0), run.weight_left * (1 - share)


def _pass_weight_left(run: Run) -> float:
    """Return the weight of the running pass that is not done."""
    return run.pass_weight * (1 - run.step / run.steps) if run.steps else 0.0


def _node_weight(job: Job, node: str) -> float:
    if not is_sampler(job.classes.get(node, "")):
        return NODE_WEIGHT
    return min(float(max(job.parameters.steps or DEFAULT_STEPS, 1)), MAX_PASS_WEIGHT)


def _display_node(job: Job, node: str, display: str | None) -> str:
    """Return the node to show: inner nodes of a subgraph are not in the graph, the node around them is."""
    return node if node in job.classes or not display else display


def _phase(run: Run, job: Job, node: str | None) -> Phase:
    """Return the phase of a node that was entered: a sampler first waits for its model if that may be loading."""
    phase = phase_of(job.classes.get(node or "", ""))
    return (
        Phase.LOADING if phase is Phase.SAMPLING and run.first_step_at is None and may_be_loading(run, job) else phase
    )


def may_be_loading(run: Run, job: Job) -> bool:
    """Return whether a model of this run may still be loading: a loader runs, or the graph names none."""
    loaders = {node for node, kind in job.classes.items() if phase_of(kind) is Phase.LOADING}
    return not loaders or not loaders <= run.cached_nodes
