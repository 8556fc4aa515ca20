"""The text at the end: which jobs go on, which are not sent, and how to come back."""

from dataclasses import replace

from comfytui.presentation.farewell import farewell
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from tests.session.builders import Session, planned_batch, run_frames


def told(session: Session, *, command: tuple[str, ...] = ("comfytui",), kept: bool = True) -> str:
    return farewell(session.state, "gpu-box", command, kept=kept)


def test_nothing_is_said_where_nothing_goes_on() -> None:
    session = Session()
    assert told(session) == ""
    session.plan("a", 1)
    session.do(*run_frames("a1"))
    assert told(session) == ""


def test_what_goes_on_is_counted_and_how_to_come_back_is_said() -> None:
    session = Session()
    session.plan("a", 3)
    session.do(*run_frames("a1"))
    assert told(session) == "2 jobs go on at gpu-box. Come back with: comfytui gpu-box"
    session.do(*run_frames("a2"))
    assert told(session) == "1 job goes on at gpu-box. Come back with: comfytui gpu-box"


def test_what_is_not_sent_yet_is_said_apart() -> None:
    session = Session()
    session.do(planned_batch("b", 3))
    assert told(session) == "3 not sent yet: the next start sends them. Come back with: comfytui gpu-box"
    assert told(session, kept=False) == "3 not sent, and dropped. Come back with: comfytui gpu-box"
    session.plan("a", 2)
    both = "2 jobs go on at gpu-box. 3 not sent yet: the next start sends them."
    assert told(session) == f"{both} Come back with: comfytui gpu-box"


def test_of_a_server_that_is_away_only_what_was_seen_is_said() -> None:
    session = Session()
    session.plan("a", 2)
    session.state = replace(session.state, link=replace(session.state.link, kind=LinkKind.OFFLINE))
    assert told(session).startswith("2 jobs went on at gpu-box when it was last seen.")


def test_a_command_is_quoted_for_the_shell_and_harmless() -> None:
    session = Session()
    session.plan("a", 1)
    said = told(session, command=("comfytui", "--config", "my file\x1b[31m.toml"))
    assert said.endswith("comfytui --config 'my file.toml' gpu-box")
    assert farewell(session.state, "http://h:1/p&q", ("comfytui",), kept=True).endswith("comfytui 'http://h:1/p&q'")


def test_of_a_server_that_ends_with_the_program_nothing_is_said() -> None:
    assert farewell(SessionState(), "demo", (), kept=False) == ""
    session = Session()
    session.plan("a", 1)
    assert told(session, command=()) == ""
