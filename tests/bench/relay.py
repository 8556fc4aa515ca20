"""Rows: a relay with many clients beside the same relay with none."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from tests.bench.remote_server import scripted_server
from tests.bench.rounds import Rounds
from tests.bench.table import Row
from tests.bench.terminal import cpu_seconds, memory

RATE = 50
"""Steps a second."""
BODY = {"values": {"model": "any.safetensors"}}
"""A request for one image."""
STATE_MS = 5
"""Milliseconds from frame to state that a session may take."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of a relay took; times are in seconds."""

    to_state: float
    """Median time from sending a frame to its state."""
    cpu_share: float
    memory: float
    """The highest, in MB."""
    to_clients: tuple[float, ...] = ()
    """Time from sending each frame to each client's first event with its step, or with a later one."""


def rows(_: Path, rounds: Rounds) -> Iterator[Row]:
    """Measure the way to the clients, and what they cost the relay."""
    alone = _measure(rounds, 0)
    loaded = _measure(rounds, rounds.clients)
    what = f"relay with {rounds.clients:,} clients at {RATE} steps/s"
    late = 1000 * quantiles(loaded.to_clients, n=20)[-1]
    yield Row(
        f"{what}: frame to client, p95", "ms", late, 250, note=f"median {1000 * median(loaded.to_clients):.0f} ms"
    )
    floor = "without clients"
    yield Row(f"{what}: processor", "% of a core", 100 * loaded.cpu_share, 30, 100 * alone.cpu_share, floor)
    yield Row(f"{what}: memory", "MB", loaded.memory, 150, alone.memory, floor)
    yield Row(f"{what}: frame to state, p50", "ms", 1000 * loaded.to_state, STATE_MS, 1000 * alone.to_state, floor)


def _measure(rounds: Rounds, clients: int) -> Measured:
    """Run a relay, and with a number of clients."""
    steps = max(2, round(rounds.relay_seconds * RATE))
    with scripted_server() as server, _child("timed_relay", server.url, str(clients + 1)) as relay:
        port = _line(relay)
        batch = _submit(f"http://127.0.0.1:{port}")
        with _child("sse_clients", port, str(clients), batch) as followers:
            assert _line(followers) == "connected"
            time.sleep(rounds.rest_seconds)
            began, before = time.monotonic(), cpu_seconds(relay.pid)
            server.send_steps(1, steps, steps, 1 / RATE)
            share = (cpu_seconds(relay.pid) - before) / (time.monotonic() - began)
            time.sleep(min(0.5, rounds.relay_seconds))  # until the last event has come
            sent = {step: when for step, when in server.sent_at.items() if step <= steps}
            to_clients = tuple(late for arrived in _result(followers) for late in _delays(sent, arrived))
        highest = memory(relay.pid, "VmHWM")
        arrived = _times(_result(relay))
    to_state = median(when - sent[step] for step, when in arrived.items() if step in sent)
    return Measured(to_state, share, highest, to_clients)


def _submit(url: str) -> str:
    """Submit a batch through a relay, and return its id once it runs."""
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
        batch = str(http.post("/api/generate", json=BODY).raise_for_status().json()["batchId"])
        status = ""
        while status != "running":
            time.sleep(0.05)
            answer = http.get("/api/progress", params={"batchId": batch}).raise_for_status().json()
            status = answer["events"][-1]["status"]
    return batch


def _delays(sent: Mapping[int, float], arrived: Mapping[str, float]) -> Iterator[float]:
    """Yield how long after each frame a client had its step or a later one; never, for one that was not sent."""
    when = float("inf")
    times = _times(arrived)
    for step in sorted(sent, reverse=True):
        when = min(when, times.get(step, when))
        yield when - sent[step]


def _times(arrived: Mapping[str, float]) -> dict[int, float]:
    return {int(step): when for step, when in arrived.items()}


@contextmanager
def _child(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module of the bench until its standard input is closed."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            assert child.stdin is not None
            child.stdin.close()


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def _result(child: subprocess.Popen[str]) -> Any:
    """Close the standard input of a child, and return what it writes then."""
    assert child.stdin is not None
    child.stdin.close()
    return json.loads(_line(child))
