"""`.github/docs/json.md` describes the JSON documents as they are: their fields, types, events and exit codes."""

import asyncio
import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

import comfytui
from comfytui.cli.exit_codes import ExitCode
from comfytui.config.effective import ConfigDocument, Value
from comfytui.headless.commands.status import StatusDocument
from comfytui.headless.documents.cancellations import CancelDocument
from comfytui.headless.documents.commands import AwayAnswer, CancelAnswer, ErrorAnswer, GenerateAnswer
from comfytui.headless.documents.events import EndEvent, ImageEvent, ProgressEvent
from comfytui.headless.documents.jobs import Document
from comfytui.headless.documents.other_events import LinkEvent, OtherJobEvent, PreviewEvent, SubmittedEvent
from comfytui.headless.documents.server import ServerSnapshot
from comfytui.headless.documents.snapshots import JobSnapshot, QueueSnapshot
from comfytui.headless.relay.polling import Events
from comfytui.headless.session import is_current
from comfytui.session.model import JobStatus
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.cli.commands import Ended, command, ended, submitted
from tests.headless.relay.running import running_relay
from tests.headless.relay.sse import streaming
from tests.sim.gate import Gate
from tests.waiting import eventually

PAGE = Path(comfytui.__file__).parent.parent / ".github" / "docs" / "json.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="not a checkout")
REFERENCE = "#/components/schemas/{name}"
EVENT_TYPES = (
    *(SubmittedEvent, ProgressEvent, ImageEvent, EndEvent),
    *(PreviewEvent, LinkEvent, OtherJobEvent, CancelDocument),
)
QUICK = SimConfig(steps_per_second=0, load_seconds=0, preview_size=64)
SMALL_VALUES = {"steps": 4, "width": 64, "height": 64}
SMALL = ("--set", "steps=4", "--set", "width=64", "--set", "height=64")


def documents(base: type = Document) -> Iterator[type]:
    """Yield all documents that the program has."""
    subclasses: list[type] = base.__subclasses__()
    for each in subclasses:
        yield each
        yield from documents(each)


DOCUMENTS: list[type] = [*documents(), ConfigDocument, Value]


def fields_of(document: type) -> dict[str, str]:
    """Return the types of a document's fields by their names, as the page says them."""
    _, schemas = msgspec.json.schema_components([document], ref_template=REFERENCE)
    properties = schemas[document.__name__]["properties"]
    return {name: type_text(schema, schemas) for name, schema in properties.items()}


def type_text(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Return a type in words: `string or null`, `array of OutputFile`, ..."""
    match schema:
        case {"anyOf": [*types]}:
            return " or ".join(type_text(each, schemas) for each in types)
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            return "string" if "enum" in schemas[name] else f"`{name}`"
        case {"type": "array", "items": items}:
            text = type_text(items, schemas) or "event"
            return f"array of ({text})" if " or " in text else f"array of {text}"
        case {"type": "object", "additionalProperties": values}:
            return f"object of {type_text(values, schemas)}"
    return str(schema.get("type", "string" if "enum" in schema else ""))


def sections() -> dict[str, dict[str, str]]:
    """Return the types of fields by their names, by the documents of the page."""
    found = {}
    for section in re.split(r"^#{2,3} ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        if heading := re.match(r"`(\w+)`", section):
            found[heading[1]] = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE))
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: str(each.__name__))
def test_the_page_has_exactly_the_fields_of_each_document(document: type) -> None:
    assert sections()[document.__name__] == fields_of(document)


def test_the_page_has_no_other_document() -> None:
    assert set(sections()) == {each.__name__ for each in DOCUMENTS}


def test_the_page_names_every_event() -> None:
    table = PAGE.read_text().partition("| event | document |")[2].partition("## ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| `(\w+)` \|", table, re.MULTILINE)
    named = {document: set(re.findall(r"\w+", names)) for names, document in rows}
    assert named == {each.__name__: set(get_args(get_type_hints(each)["event"])) for each in EVENT_TYPES}


def test_the_page_names_every_exit_code() -> None:
    codes = re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert [int(code) for code in codes] == [*ExitCode]


def check(document: type, found: dict[str, Any]) -> None:
    """Check that JSON is a document of this type, with all of its fields and no other."""
    assert json.loads(msgspec.json.encode(msgspec.json.decode(json.dumps(found), type=document))) == found


def check_events(events: list[dict[str, Any]]) -> None:
    types = {name: each for each in EVENT_TYPES for name in get_args(get_type_hints(each)["event"])}
    for event in events:
        check(types[event["event"]], event)


def output(result: Ended) -> dict[str, Any]:
    assert result.code == 0, result
    return dict(json.loads("\n".join(result.lines)))


async def test_what_commands_write_is_as_described(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        run = await ended(tmp_path, "run", sim.url, "-n", "2", "--seed", "7", "--json", *SMALL)
        check_events(run.events)
        assert {"submitted", "image", "done"} <= {event["event"] for event in run.events}
        prompt_id = run.events[0]["promptIds"][0]
        status = output(await ended(tmp_path, "status", sim.url, "--json"))
        check(StatusDocument, status)
        assert status["queue"]["ended"]
        waited = await ended(tmp_path, "wait", sim.url, prompt_id, "--json")
        check_events(waited.events)
        assert waited.events
        cancelled = await ended(tmp_path, "cancel", sim.url, prompt_id, "--json")
        check_events(cancelled.events)
        assert cancelled.events
        check(ConfigDocument, output(await ended(tmp_path, "config", "--json")))


async def test_the_images_of_a_grid_say_which_cell_they_are(tmp_path: Path) -> None:
    async with SimServer(QUICK) as sim:
        run = await ended(tmp_path, "run", sim.url, "--json", *SMALL, "--set", "steps=4,5", "--set", "cfg=5,7.5")
        check_events(run.events)
        cells = [[("Steps", steps), ("CFG", cfg)] for steps in (4, 5) for cfg in (5, 7.5)]

        def cell(document: dict[str, Any]) -> list[tuple[str, int | float | str]]:
            return [(value["label"], value["value"]) for value in document["cell"]]

        assert [cell(event) for event in run.events if event["event"] == "image"] == cells
        status = output(await ended(tmp_path, "status", sim.url, "--json"))
        check(StatusDocument, status)
        assert [cell(job) for job in reversed(status["queue"]["ended"])] == cells
        async with running_relay(sim.url) as relay:
            await relay.live()
            path = f"/api/jobs/{run.events[0]['promptIds'][3]}"
            async with asyncio.timeout(60):
                # It still reads the history.
                while (answer := await relay.client.get(path)).status_code == HTTPStatus.NOT_FOUND:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            check(JobSnapshot, answer.json())
            assert cell(answer.json()) == cells[3]


async def test_what_the_relay_sends_is_as_described() -> None:
    async with SimServer(QUICK) as sim, running_relay(sim.url) as relay:
        await relay.live()
        batch_id = await relay.submit(2, model=sim.config.checkpoints[0])
        async with streaming(relay, batchId=batch_id) as client:
            await client.ended()
        check_events(client.events)
        assert {"image", "done"} <= set(client.names)
        polled = (await relay.client.get("/api/progress", params={"batchId": batch_id})).json()
        check(Events, polled)
        check_events(polled["events"])
        queue = (await relay.client.get("/api/queue")).json()
        check(QueueSnapshot, queue)
        job = (await relay.client.get(f"/api/jobs/{queue['ended'][0]['promptId']}")).json()
        check(JobSnapshot, job)
        check(ServerSnapshot, (await relay.client.get("/api/server")).json())


async def test_what_watch_writes_is_as_described(tmp_path: Path) -> None:
    gate = Gate()
    async with (
        SimServer(QUICK, clock=gate) as sim,
        command(tmp_path, "watch", sim.url, "--json", "--interval", "0") as watch,
    ):
        lines = await watch.until('"event":"link"')
        await submitted(sim, tmp_path, 1)
        await gate.let_all()
        lines += await watch.until('"event":"done"')
        await gate.hold()
        await submitted(sim, tmp_path, 1, other_user=True)
        gate.let_start()
        lines += await watch.until('"event":"otherJob"')
        await sim.stop(killed=True)
        lines += await watch.until('"event":"link"')
    events = [json.loads(line) for line in lines]
    check_events(events)
    assert {"link", "progress", "image", "done", "otherJob"} == {event["event"] for event in events}


async def test_previews_of_the_relay_are_as_described() -> None:
    gate = Gate()
    async with SimServer(QUICK, clock=gate) as sim, running_relay(sim.url) as relay:
        await relay.live()
        made = (await relay.client.post("/api/generate", json={"values": SMALL_VALUES})).json()
        async with streaming(relay, batchId=made["batchId"], previews="1") as client:
            await gate.let_steps(3)
            await client.got("preview")
            await gate.let_all()
            await client.ended()
        check_events(client.events)


async def test_answers_to_posts_are_as_described() -> None:
    async with SimServer(QUICK, clock=Gate()) as sim, running_relay(sim.url) as relay:
        await relay.live()

        async def post(path: str, document: type, **body: object) -> int:
            """Return the status of an answer that is such a document."""
            answer = await relay.client.post(path, json=body)
            check(document, answer.json())
            return answer.status_code

        values = {"values": SMALL_VALUES | {"model": sim.config.checkpoints[0]}}
        assert await post("/api/generate", GenerateAnswer, **values) == 202
        assert await post("/api/generate", ErrorAnswer, images=0) == 400
        assert await post("/api/jobs/nobody/cancel", ErrorAnswer) == 404
        [prompt_id] = (await relay.client.post("/api/generate", json=values)).json()["promptIds"]
        await eventually(lambda: relay.state.jobs[prompt_id].status is JobStatus.QUEUED, "the job")
        assert await post(f"/api/jobs/{prompt_id}/cancel", CancelAnswer) == 200
        assert await post(f"/api/jobs/{prompt_id}/cancel", CancelAnswer) == 409
        assert await post("/api/batches/nobody/cancel", ErrorAnswer) == 404
        [batch_id, *_] = relay.state.batches
        assert await post(f"/api/batches/{batch_id}/cancel", CancelDocument) == 200
        await sim.stop(killed=True)
        await eventually(lambda: not is_current(relay.state), "that the server is away")
        assert await post("/api/generate", AwayAnswer, **values) == 503
        assert await post("/api/generate?now=1", AwayAnswer, **values) == 503
