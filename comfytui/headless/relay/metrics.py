"""The figures of a relay for Prometheus: what its session shows now, and what has ended since it started."""

from collections.abc import Callable, Iterable
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from comfytui.headless.documents.events import link_name
from comfytui.headless.documents.jobs import Outcome, outcome_of
from comfytui.session.jobs.index import indexed
from comfytui.session.model import Job, LinkKind
from comfytui.session.selectors import open_jobs
from comfytui.session.state import SessionState

SECONDS_BUCKETS = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Limits of the seconds that an image takes: from a small one on a fast card to a video."""


class RelayMetrics:
    """The figures of one relay, in a registry of its own.

    Args:
        state: Returns the newest state.
        streams: Returns how many clients follow a stream.
    """

    def __init__(self, state: Callable[[], SessionState], streams: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._images = Counter(
            "comfytui_images", "Images of mine that ended since the relay started.", ["outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "comfytui_image_seconds",
            "Seconds that an image of mine ran.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        for outcome in get_args(Outcome):
            self._images.labels(outcome)
        self.registry.register(_Present(state, streams))
        ProcessCollector(registry=self.registry)

    def count(self, job: Job) -> None:
        """Count a job of mine that has ended."""
        self._images.labels(outcome_of(job) or "lost").inc()
        if job.seconds is not None:
            self._seconds.observe(max(job.seconds, 0.0))


class _Present(Collector):
    """The figures that are read when they are asked for."""

    def __init__(self, state: Callable[[], SessionState], streams: Callable[[], int]) -> None:
        self._state = state
        self._streams = streams

    def collect(self) -> Iterable[Metric]:
        """Yield each figure, as it is now."""
        state = self._state()
        for name, help_, value in (
            ("queue_length", "Jobs in ComfyUI's queue, those that run included.", state.queue_remaining),
            ("running_jobs", "Jobs that ComfyUI runs, of any user.", len(indexed(state.jobs).running_ids)),
            ("open_images", "Images of mine that have not ended.", open_jobs(state)),
            ("current", "Whether the queue was read since ComfyUI answers.", state.unobserved_since is None),
            ("stream_clients", "Clients that follow a stream.", self._streams()),
        ):
            yield GaugeMetricFamily(f"comfytui_{name}", help_, value=float(value))
        link = GaugeMetricFamily("comfytui_link", "The state of the connection to ComfyUI.", labels=["state"])
        for kind in LinkKind:
            link.add_metric([kind.name.lower()], float(kind.name.lower() == link_name(state)))
        yield link
