"""The text printed on exit: which jobs go on, which are not sent yet, and how to come back."""

from dataclasses import replace

import pytest

from comfytui.presentation.farewell import farewell
from comfytui.session.connection.link_events import Connected
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from tests.session.builders import Session, planned_batch, run_frames


def farewell_of(session: Session, *, command: tuple[str, ...] = ("comfytui",), durable: bool = True) -> str:
    return farewell(session.state, "gpu-box", command, durable=durable)


def connected_session() -> Session:
    session = Session()
    session.do(Connected("me"))
    return session


def test_no_text_without_open_jobs() -> None:
    session = Session()
    assert farewell_of(session) == ""
    session.plan("a", 1)
    session.do(*run_frames("a1"))
    assert farewell_of(session) == ""


def test_open_jobs_are_counted_and_the_command_to_come_back_is_shown() -> None:
    session = connected_session()
    session.plan("a", 3)
    session.do(*run_frames("a1"))
    assert farewell_of(session) == "2 jobs go on at gpu-box. Come back with: comfytui gpu-box"
    session.do(*run_frames("a2"))
    assert farewell_of(session) == "1 job goes on at gpu-box. Come back with: comfytui gpu-box"


def test_unsent_jobs_are_counted_separately() -> None:
    session = connected_session()
    session.do(planned_batch("b", 3))
    assert farewell_of(session) == "3 not sent yet: the next start sends them. Come back with: comfytui gpu-box"
    assert farewell_of(session, durable=False) == "3 not sent, and dropped. Come back with: comfytui gpu-box"
    session.plan("a", 2)
    both = "2 jobs go on at gpu-box. 3 not sent yet: the next start sends them."
    assert farewell_of(session) == f"{both} Come back with: comfytui gpu-box"


@pytest.mark.parametrize("kind", [LinkKind.OFFLINE, LinkKind.CONNECTING, LinkKind.BUSY])
def test_jobs_of_an_unreachable_server_are_reported_as_last_seen(kind: LinkKind) -> None:
    session = Session()
    session.plan("a", 2)
    session.state = replace(session.state, link=replace(session.state.link, kind=kind))
    assert farewell_of(session).startswith("2 jobs went on at gpu-box when it was last seen.")


def test_the_command_is_quoted_for_the_shell_and_sanitized() -> None:
    session = Session()
    session.plan("a", 1)
    text = farewell_of(session, command=("comfytui", "--config", "my file\x1b[31m.toml"))
    assert text.endswith("comfytui --config 'my file.toml' gpu-box")
    assert farewell(session.state, "http://h:1/p&q", ("comfytui",), durable=True).endswith("comfytui 'http://h:1/p&q'")


def test_no_text_for_a_server_that_ends_with_the_program() -> None:
    assert farewell(SessionState(), "demo", (), durable=False) == ""
    session = Session()
    session.plan("a", 1)
    assert farewell_of(session, command=()) == ""
