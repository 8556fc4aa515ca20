"""A socket that closes is opened again after a delay that grows until a connection was stable."""

import pytest

from comfytui.session.connection.connection import Connection
from comfytui.session.connection.effects import OpenSocket
from comfytui.session.connection.inputs import SocketClosed, SocketOpened, Started, TimerDue
from comfytui.session.connection.machine import step
from comfytui.session.connection.sockets import retry_delay
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT


def delays_of(*connections: tuple[float, bool]) -> list[float]:
    """Return the delays after connections that were each open for some seconds, and received a frame or not."""
    now, delays = 0.0, []
    connection, _ = step(Connection(), Started(["me"]), now)
    for seconds, had_frames in connections:
        connection, _ = step(connection, SocketOpened("me"), now)
        now += seconds
        connection, _ = step(connection, SocketClosed("me", "closed", had_frames=had_frames), now)
        retry_at = connection.sockets["me"].retry_at
        assert retry_at is not None
        assert connection.link.retry_at == retry_at
        delays.append(retry_at - now)
        connection, effects = step(connection, TimerDue(SessionState()), retry_at)
        assert OpenSocket("me") in effects
        now = retry_at
    return delays


def test_the_delay_grows_if_the_server_accepts_and_closes() -> None:
    assert delays_of(*[(0.0, False)] * 8) == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_the_delay_grows_if_the_server_sends_one_frame_and_closes() -> None:
    assert delays_of(*[(0.0, True)] * 4) == [0.5, 1, 2, 4]


def test_a_stable_connection_resets_the_delay() -> None:
    short, stable = (0.0, True), (DEFAULT.socket.stable_after, True)
    assert delays_of(short, short, short, stable, short, short) == [0.5, 1, 2, 0.5, 1, 2]


def test_a_connection_that_receives_nothing_is_not_stable() -> None:
    assert delays_of(*[(60.0, False)] * 3) == [0.5, 1, 2]


@pytest.mark.parametrize("jitter", [0.0, 0.3, 1.0])
def test_delays_have_full_jitter(jitter: float) -> None:
    timings = DEFAULT.socket
    delays = [retry_delay(failures, jitter, timings) for failures in range(50)]
    assert min(delays) >= timings.first_delay / 2
    assert delays[-1] == max(timings.first_delay / 2, jitter * timings.longest_delay)
