"""What is wrong on the command line is told in one sentence, with exit code 2."""

import json
from pathlib import Path

import pytest
from PIL import Image

from comfytui.cli.main import main


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Exit code and what was said."""
    with pytest.raises(SystemExit) as ended:
        main(list(argv))
    code = ended.value.code
    return code if isinstance(code, int) else -1, " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["dem o"], "Did you mean comfytui demo?"),
        (["ftp://box"], "write http:// or https://"),
        (["http://"], "Not an address"),
        (["http://box:99999"], "a port from 1 to 65535"),
        (["box", "--header", "no colon here"], "A header reads 'Name: value'"),
        (["box", "--header", "X: a\nb"], "not allowed in a header"),
        (["https://box", "--ca", "/no/such.pem"], "There is no file /no/such.pem: check its name."),
        (["run"], "reserved for a later command"),
        (["--ascii", "demo"], "put it first"),
        (["box", "--workflow", "/no/such.json"], "such.json"),
        (["sim", "--port", "99999"], "99999"),
        (["--nonsense"], "No such option"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], argv: list[str], sentence: str) -> None:
    code, said = told(capsys, *argv)
    assert code == 2
    assert sentence in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", [[], ["demo"], ["sim"]])
def test_h_is_help(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    said = []
    for option in ("-h", "--help"):
        with pytest.raises(SystemExit) as ended:
            main([*command, option])
        assert ended.value.code == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "-h, --help" in said[0]


def test_a_value_of_a_header_is_never_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    _, said = told(capsys, "box", "--header", "X-Key hunter2")
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("words.json", "not json", "JSON"),
        ("ui.json", json.dumps({"nodes": [], "links": []}), "Export (API)"),
        ("empty.json", "{}", "empty.json"),
    ],
)
def test_workflow_files_that_are_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, content: str, sentence: str
) -> None:
    (tmp_path / name).write_text(content)
    code, said = told(capsys, "box", "--workflow", str(tmp_path / name))
    assert code == 2
    assert sentence in said


def test_a_picture_without_a_workflow(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    code, said = told(capsys, "box", "--workflow", str(tmp_path / "plain.png"))
    assert code == 2
    assert "plain.png" in said


def test_without_a_terminal_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = told(capsys, "box")
    assert code == 2
    assert "needs a terminal" in said
