"""The marked examples of the README, run in a shell as they stand there: only the servers' ports are replaced."""

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from comfytui.headless.relay.options import RelayOptions
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.browser.browser import Browser
from tests.browser.chromium import UNAVAILABLE, running_chromium
from tests.cli.commands import QUICK, Command, Ended, command, ended, submitted
from tests.headless.relay.running import running_relay
from tests.live.nginx import NGINX, nginx_before
from tests.sim.gate import Gate
from tests.workflow.editor.corpus import object_info
from tests.workflow.graphs.editor import editor_txt2img

README = Path(__file__).parent.parent / "README.md"
EXAMPLES: list[str] = (
    re.findall(r"<!-- run -->\n```sh\n(.*?)```\n<!-- /run -->", README.read_text(), re.DOTALL)
    if README.exists()
    else []
)
COMFYUI, RELAY = "127.0.0.1:8188", "127.0.0.1:8189"
STEADY = SimConfig(steps_per_second=20, load_seconds=0, preview_size=64)
BEARER = {"Authorization": "Bearer a token"}
BASH = shutil.which("bash")
needs_jq = pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
pytestmark = [
    pytest.mark.skipif(not EXAMPLES, reason="not a checkout"),
    pytest.mark.skipif(not BASH, reason="bash is not installed"),
]


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(QUICK) as sim:
        yield sim


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a user who has `comfytui` in a folder of programs."""
    program = tmp_path / "bin" / "comfytui"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m comfytui "$@"\n')
    program.chmod(0o755)
    return tmp_path


def example(beginning: str) -> str:
    """Return the only example that has a line which begins so."""
    [found] = [each for each in EXAMPLES if any(line.startswith(beginning) for line in each.splitlines())]
    return found


def block(language: str) -> str:
    """Return the only block of code in a language."""
    [found] = re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)
    return str(found)


def in_shell(script: str, home: Path, **addresses: str) -> tuple[str, ...]:
    """Return the program that runs an example in its user's home."""
    comfyui, relay = addresses.get("comfyui", COMFYUI), addresses.get("relay", RELAY)
    for address, there in ((COMFYUI, comfyui), (RELAY, relay)):
        script = script.replace(address, urlsplit(there).netloc or there)
    path = os.pathsep.join((str(home / "bin"), os.environ.get("PATH", os.defpath)))
    setup = f"set -euo pipefail; export PATH={path!r}; cd {str(home)!r}\n"
    return (str(BASH), "-c", setup + script)


async def output_of(script: str, home: Path, **addresses: str) -> Ended:
    """Run an example to its end."""
    return await ended(home, program=in_shell(script, home, **addresses))


@asynccontextmanager
async def serving_relay(home: Path, sim: SimServer) -> AsyncIterator[tuple[str, Command]]:
    """Run the relay as the README does, but on a free port; give its URL."""
    script = "exec " + example("comfytui relay").rstrip() + " --port 0"
    async with command(home, program=in_shell(script, home, comfyui=sim.url)) as relay:
        yield (await relay.error_until("serves at")).rpartition(" ")[2], relay


def test_every_example_is_run_here() -> None:
    beginnings = re.findall(r'example\("([^"]+)"\)', Path(__file__).read_text())
    assert sorted(map(example, set(beginnings))) == sorted(EXAMPLES)


async def test_config_shows_a_named_server_without_its_secrets(home: Path) -> None:
    config = home / "config" / "comfytui" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(block("toml"))
    config.chmod(0o600)
    done = await output_of(example("comfytui config"), home)
    assert (done.code, done.err) == (0, "")
    assert "server = gpu-box  (argument SERVER)" in done.lines
    assert f"servers.gpu-box.url = https://gpu.example/comfy  (file {config})" in done.lines
    assert [line for line in done.lines if line.startswith("servers.gpu-box.token_command = ***  ")]
    assert "studio" not in done.out


async def test_run_saves_the_images(sim: SimServer, home: Path) -> None:
    done = await output_of(example("comfytui run 127.0.0.1:8188 --set 'prompt=a red fox in snow' --set steps=12"), home,
                           comfyui=sim.url)  # fmt: skip
    assert (done.code, done.err, done.lines[-1]) == (0, "", "2 of 2 done")
    assert len([*(home / "foxes").iterdir()]) == 2


@needs_jq
async def test_jq_reads_what_run_writes(sim: SimServer, home: Path) -> None:
    done = await output_of(example("comfytui run 127.0.0.1:8188 --set 'prompt=a red fox in snow' -n 2 --json"), home,
                           comfyui=sim.url)  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert [index for index, _ in map(json.loads, done.lines)] == [1, 2]


async def test_python_reads_what_run_writes(sim: SimServer, home: Path) -> None:
    reader = f'"{sys.executable}" -m json.tool --json-lines --compact'
    done = await output_of(f"comfytui run {COMFYUI} -n 2 --json | {reader}", home, comfyui=sim.url)
    assert (done.code, done.err) == (0, "")
    assert [event["event"] for event in done.events if event["event"] != "progress"] == [
        *("submitted", "image", "image", "done"),
    ]


async def test_convert_writes_the_api_format(sim: SimServer, home: Path) -> None:
    (home / "workflows").mkdir()
    for name in ("portrait.json", "workflows/one.json", "workflows/two.json"):
        (home / name).write_text(json.dumps(editor_txt2img()))
    (home / "object_info.json").write_text(json.dumps(object_info()))
    done = await output_of(example("comfytui convert"), home, comfyui=sim.url)
    assert done.lines == ["api/one.json", "api/two.json"]
    graphs = [json.loads((home / name).read_text()) for name in ("portrait-api.json", *done.lines)]
    assert [graph["3"]["class_type"] for graph in graphs] == ["KSampler"] * 3


@needs_jq
async def test_a_script_waits_for_what_it_detached(sim: SimServer, home: Path) -> None:
    done = await output_of(example("batch=$(comfytui run"), home, comfyui=sim.url)
    assert (done.code, done.lines[-1]) == (0, "All images are there."), done
    assert "3 of 3 done" in done.lines[-2]


async def test_status_shows_the_batch_that_is_cancelled_then(home: Path) -> None:
    async with SimServer(QUICK, clock=Gate()) as sim:
        batch = await submitted(sim, home, 2)
        done = await output_of(example("comfytui status"), home, comfyui=sim.url)
        assert sim.queue.remaining == 0
    assert (done.code, done.err) == (0, "")
    assert "2 in the queue:" in done.lines
    assert f"Batch {batch.id}  2 removed." in done.lines


async def test_watch_writes_changes_until_it_is_interrupted(home: Path) -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim:
        script = in_shell("exec " + example("comfytui watch"), home, comfyui=sim.url)
        async with command(home, program=script) as watch:
            assert await watch.line() == "Connection: live."
            await submitted(sim, home, 1)
            await watch.until("Image 1 of 1 - ")
            await gate.let_all()
            await watch.until("1 of 1 done")
            done = await watch.end(signal.SIGINT)
    assert (done.code, done.err) == (130, "")


@needs_jq
@needs_curl
async def test_curl_follows_what_it_asked_for_to_its_end(sim: SimServer, home: Path) -> None:
    async with serving_relay(home, sim) as (url, relay):
        done = await output_of(example("batch=$(curl"), home, relay=url)
        assert done.code == 0, done
        names = [line.removeprefix("event: ") for line in done.lines if line.startswith("event: ")]
        assert [name for name in names if name != "progress"] == ["image", "image", "done"]
        last = json.loads([line for line in done.lines if line.startswith("data: ")][-1].removeprefix("data: "))
        assert (last["seeds"], last["counts"]) == ([7, 8], {"done": 2})
        again = await output_of(example("batch=$(curl"), home, relay=url)
        assert "event: done" in again.lines
        assert len(sim.submitted) == 2, "the key makes nothing twice"
        assert (await relay.end(signal.SIGTERM)).code == 0


@needs_curl
async def test_a_poll_waits_until_there_is_something_new(sim: SimServer, home: Path) -> None:
    async with serving_relay(home, sim) as (url, _):
        done = await output_of(example("tag=$(curl"), home, relay=url)
    assert (done.code, done.lines) == (0, ["304"]), done


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if UNAVAILABLE:
        pytest.skip(UNAVAILABLE)
    with running_chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


async def test_the_script_of_a_page_shows_steps_and_images(browser: Browser) -> None:
    async with SimServer(STEADY) as sim, running_relay(sim.url) as relay:
        await relay.live()
        await browser.open(relay.url)
        batch_id = await relay.submit(2, model=sim.config.checkpoints[0], steps=100)
        await browser.run(f"(() => {{ const batchId = '{batch_id}'; {block('js')} }})()")
        await browser.until("/^Image \\d of 2 - Step \\d+\\/100 \\(\\d+%\\)$/.test(document.title)")
        await browser.until(
            "[...document.querySelectorAll('body > img')].map((each) => each.naturalWidth > 0)", [True] * 2
        )
        assert await browser.errors() == []


@pytest.mark.skipif(NGINX is None, reason="no nginx is installed")
@needs_curl
async def test_nginx_passes_the_stream_and_the_page_on(sim: SimServer, home: Path) -> None:
    async with running_relay(sim.url, options=RelayOptions(port=0, token="a token")) as relay:
        await relay.live()
        directives = block("nginx").replace(f"http://{RELAY}", relay.url)
        async with (
            nginx_before(sim.url, home, path="/comfyui/", directives=directives) as nginx,
            httpx.AsyncClient(base_url=nginx.url.partition("/comfyui")[0], headers=BEARER, trust_env=False) as client,
        ):
            assert (await client.get("/")).headers["Content-Type"].startswith("text/html")
            own = {"Origin": str(client.base_url).rstrip("/")}
            answer = await client.post("/api/generate", json={"images": 2}, headers=own)
            assert answer.status_code == 202, answer.text
            stream = await client.get("/api/generate/progress", params={"batchId": answer.json()["batchId"]})
            assert "event: done" in stream.text
            foreign = await client.post("/api/generate", json={}, headers={"Origin": "https://app.example"})
            assert foreign.status_code == 403
