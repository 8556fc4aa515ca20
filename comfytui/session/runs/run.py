"""The run of one prompt, frame by frame: nodes entered and finished, steps, passes, and the share of the whole.

Every piece of work that gets done takes its part, by weight, of what is left of the bar. So the bar never falls, and
it moves on when a second pass, a tile or a subgraph turns up that the graph did not announce.
"""

from collections.abc import Collection
from dataclasses import replace
from math import exp, isfinite

from comfytui.session.model import Job, Phase
from comfytui.session.runs.phases import LIGHT, USUAL_STEPS, phase_of, samples
from comfytui.session.state import Live

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


def begun(job: Job, at: float, *, whole: bool, started_ms: int | None = None) -> Live:
    """A run that begins at monotonic second `at`, or (not `whole`) is first seen then."""
    left = sum(_weight(job, node) for node in job.classes)
    phase = Phase.STARTING if whole else Phase.WORKING
    return Live(job.prompt_id, at, whole, started_ms, phase=phase, left=left, began=at if whole else None)


def skipped(live: Live, job: Job, nodes: Collection[str]) -> Live:
    """The run with nodes whose results the server already has."""
    for node in nodes:
        live = finished(live, job, node)
    known = len(live.cached) >= MOST_CACHED or live.cached >= set(nodes)
    return live if known else replace(live, cached=live.cached | set(nodes))


def entered(live: Live, job: Job, node: str, display: str | None) -> Live:
    """The run with `node` at work; the one before it is done unless it is only the surroundings of this one."""
    shown = _shown(job, node, display)
    if live.node == shown:
        return live
    if live.node is not None:
        live = finished(live, job, live.node)
    return replace(live, node=shown, phase=_phase(live, job, shown))


def finished(live: Live, job: Job, node: str) -> Live:
    """The run with `node` done; nodes that the graph does not have count for nothing."""
    if node in live.done or node not in job.classes:
        return live
    rest = _rest(live) if node == live.pass_node else _weight(job, node)
    return replace(_credited(live, rest), done=live.done | {node})


def stepped(live: Live, job: Job, node: str | None, display: str | None, value: float, top: float, at: float) -> Live:
    """The run with step `value` of `top` of a node; a step told twice changes nothing, a drop begins a new pass."""
    if not (isfinite(value) and isfinite(top)) or top < 1:
        return live
    steps = int(min(top, MOST_STEPS))
    step = int(min(max(value, 0), steps))
    node = node or live.pass_node or live.node or ""
    same_pass = node == live.pass_node and steps == live.steps
    if same_pass and step == live.step:
        return live
    if not same_pass or step < live.step:
        live = _new_pass(live, job, node, display, steps)
    return _advanced(live, job, step, at)


def _new_pass(live: Live, job: Job, node: str, display: str | None, steps: int) -> Live:
    shown = _shown(job, node, display) if node in job.classes or display else live.node or node
    announced = node in job.classes and node not in live.done and node != live.pass_node
    heavy = node not in job.classes or samples(job.classes[node])
    weight = min(float(steps), HEAVIEST if node in job.classes else USUAL_STEPS) if heavy else LIGHT
    counted = _weight(job, node) if announced else _rest(live) if node == live.pass_node else 0.0
    return replace(
        live,
        node=shown,
        pass_node=node,
        passes=live.passes + 1,
        step=0,
        steps=steps,
        weight=weight,
        left=max(live.left - counted, 0.0) + weight,
        recent_steps=0.0,
        recent_seconds=0.0,
        last_step=None,
    )


def _advanced(live: Live, job: Job, step: int, at: float) -> Live:
    if step == live.step:
        return live
    live = _credited(_timed(live, step - live.step, at), live.weight * (step - live.step) / live.steps)
    return replace(
        live,
        step=step,
        first_step=at if live.first_step is None else live.first_step,
        last_step=at,
        phase=phase_of(job.classes.get(live.node or "", "")),
    )


def _timed(live: Live, steps: int, at: float) -> Live:
    """The run with its speed measured: a burst of steps shares the time before it, a stall counts as a slow step."""
    if live.last_step is None:
        return live
    gone = max(at - live.last_step, 0.0)
    seconds = gone if live.step_seconds is None else min(gone, steps * overdue(live.step_seconds))
    kept = exp(-seconds / MEMORY)
    return replace(
        live,
        recent_steps=live.recent_steps * kept + steps,
        recent_seconds=live.recent_seconds * kept + seconds,
        stalled=live.stalled + gone - seconds,
    )


def overdue(step_seconds: float) -> float:
    """Seconds without a step after which a run that takes so long for one is said to stall."""
    return max(PATIENCE, STEPS * step_seconds)


def _credited(live: Live, weight: float) -> Live:
    if weight <= 0 or live.left <= 0:
        return live
    share = min(weight / live.left, 1.0)
    fraction = min(live.fraction + (1 - live.fraction) * share, 1.0)
    return replace(live, fraction=fraction, left=live.left * (1 - share))


def _rest(live: Live) -> float:
    """Weight of the running pass that is not done."""
    return live.weight * (1 - live.step / live.steps) if live.steps else 0.0


def _weight(job: Job, node: str) -> float:
    if not samples(job.classes.get(node, "")):
        return LIGHT
    return min(float(max(job.recipe.steps or USUAL_STEPS, 1)), HEAVIEST)


def _shown(job: Job, node: str, display: str | None) -> str:
    """The node to name on screen: inner nodes of a subgraph are unknown to the graph, their surroundings are not."""
    return node if node in job.classes or not display else display


def _phase(live: Live, job: Job, node: str | None) -> Phase:
    """What an entered node is busy with: a sampler waits for its model first, if that may be on its way."""
    phase = phase_of(job.classes.get(node or "", ""))
    return Phase.LOADING if phase is Phase.SAMPLING and live.first_step is None and cold(live, job) else phase


def cold(live: Live, job: Job) -> bool:
    """Whether a model of this run may still be on its way to the card: a loader ran, or the graph names none."""
    loaders = {node for node, kind in job.classes.items() if phase_of(kind) is Phase.LOADING}
    return not loaders or not loaders <= live.cached
