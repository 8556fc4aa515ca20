"""Wrong usage of the command line: one sentence on standard error, and exit code 2."""

import json
from pathlib import Path

import pytest
from PIL import Image

from comfytui.cli.main import main


def run_main(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Return the exit code, and the text on standard error."""
    with pytest.raises(SystemExit) as ended:
        main(list(argv))
    code = ended.value.code
    return code if isinstance(code, int) else -1, " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["dem o"], "Did you mean comfytui demo?"),
        (["ftp://box"], "write http:// or https://"),
        (["http://"], "Not an address"),
        (["http://box:99999"], "a port from 1 to 65535"),
        (["box", "--header", "no colon here"], "A header reads 'Name: value'"),
        (["box", "--header", "X: a\nb"], "not allowed in a header"),
        (["https://box", "--ca", "/no/such.pem"], "There is no file /no/such.pem: check its name."),
        (["worker"], "reserved for a later command"),
        (["--ascii", "demo"], "put it first"),
        (["box", "--workflow", "/no/such.json"], "such.json"),
        (["sim", "--port", "99999"], "99999"),
        (["sim", "--workers", "0"], "workers"),
        (["--nonsense"], "No such option"),
    ],
)
def test_wrong_usage_is_one_message(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    code, error = run_main(capsys, *argv)
    assert code == 2
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", [[], ["demo"], ["sim"]])
def test_h_prints_the_help(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    outputs = []
    for option in ("-h", "--help"):
        with pytest.raises(SystemExit) as ended:
            main([*command, option])
        assert ended.value.code == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert "-h, --help" in outputs[0]


def test_header_values_are_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    _, error = run_main(capsys, "box", "--header", "X-Key hunter2")
    assert "hunter2" not in error


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("words.json", "not json", "JSON"),
        ("editor.json", json.dumps({"nodes": [], "links": []}), "empty workflow"),
        ("empty.json", "{}", "empty.json"),
    ],
)
def test_a_file_that_is_no_workflow_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    code, error = run_main(capsys, "box", "--workflow", str(tmp_path / name))
    assert code == 2
    assert message in error


def test_an_image_without_a_workflow_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    code, error = run_main(capsys, "box", "--workflow", str(tmp_path / "plain.png"))
    assert code == 2
    assert "plain.png" in error


def test_a_terminal_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    code, error = run_main(capsys, "box")
    assert code == 2
    assert "needs a terminal" in error
