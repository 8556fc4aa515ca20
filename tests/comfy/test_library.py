"""What a server offers to make prompts with: read from scripted servers, also old, hostile and broken ones."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError, NotComfyUI, ServerError
from comfytui.comfy.protocol.library import LoraMetadata, SavedWorkflow, Template, TemplateGroup
from comfytui.comfy.server import Server
from tests.stub_servers import PAGE, Handler, answering, serving

Call = Callable[[ComfyClient], Awaitable[Any]]
PROMPT = {"exec_info": {"queue_remaining": 0}}
WORKFLOW = {"nodes": [], "links": [], "version": 0.4}


async def asked(call: Call, routes: dict[str, Handler]) -> Any:
    """Return what a call of the client returns for a server that answers only at these routes."""
    async with (
        serving({"GET /api/prompt": answering(PROMPT), **routes}) as url,
        ComfyClient(Server.from_url(url)) as it,
    ):
        return await call(it)


async def test_saved_workflows_are_listed_with_size_and_time() -> None:
    listed = [
        {"path": "fox.json", "size": 42, "modified": 1795706844278, "created": 1795706844278},
        {"path": "sub/im g.json", "size": 7, "modified": 1795706844.25},
        {"path": ".index.json", "size": 1},
        {"path": "notes.txt"},
        {"path": 7},
        None,
    ]
    found = await asked(lambda client: client.saved_workflows(), {"GET /api/userdata": answering(listed)})
    assert found == (
        SavedWorkflow("fox.json", 42, 1795706844.278),
        SavedWorkflow("sub/im g.json", 7, 1795706844.25),
    )


async def test_an_old_list_of_saved_workflows_has_names_only() -> None:
    found = await asked(
        lambda client: client.saved_workflows(), {"GET /api/userdata": answering(["a.json", "b/c.json"])}
    )
    assert found == (SavedWorkflow("a.json"), SavedWorkflow("b/c.json"))


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (answering("Directory not found", 404), ()),
        (answering("404: Not Found", 404), None),
        (PAGE, None),
    ],
)
async def test_nothing_saved_differs_from_a_server_that_saves_nothing(answer: Handler, found: object) -> None:
    assert await asked(lambda client: client.saved_workflows(), {"GET /api/userdata": answer}) == found


async def test_a_saved_workflow_is_read_by_its_path() -> None:
    seen = []

    async def read(request: web.Request) -> web.Response:
        seen.append(request.raw_path)
        return web.json_response(WORKFLOW)

    routes: dict[str, Handler] = {"GET /api/userdata/{file}": read}
    assert await asked(lambda client: client.saved_workflow("sub/im g #1?.json"), routes) == WORKFLOW
    assert seen == ["/api/userdata/workflows%2Fsub%2Fim%20g%20%231%3F.json"]
    assert await asked(lambda client: client.saved_workflow("gone.json"), {}) is None


async def test_templates_of_comfyui_come_by_kind_and_then_those_of_packs() -> None:
    index = [
        {
            "title": "Image",
            "templates": [{"name": "a", "title": "A fox", "mediaType": "image", "tags": ["Text to Image"]}],
        },
        {"title": "Video", "templates": [{"name": "b", "openSource": False, "models": ["Wan", 3]}]},
        {"title": "Image", "templates": [{"name": "c"}, {"title": "without a name"}, "nonsense"]},
        {"title": "Empty", "templates": []},
        "nonsense",
    ]
    routes = {
        "GET /templates/index.json": answering(index),
        "GET /api/workflow_templates": answering({"some-pack": ["one", "two", "one", 3], "empty": []}),
    }
    assert await asked(lambda client: client.templates(), routes) == (
        TemplateGroup("Image", (Template("a", "A fox", media="image", tags=("Text to Image",)), Template("c", "c"))),
        TemplateGroup("Video", (Template("b", "b", models=("Wan",), is_paid=True),)),
        TemplateGroup("some-pack", (Template("one", "one", "some-pack"), Template("two", "two", "some-pack"))),
    )


async def test_a_server_without_templates_has_none() -> None:
    assert await asked(lambda client: client.templates(), {}) == ()
    assert await asked(lambda client: client.templates(), {"GET /templates/index.json": PAGE}) == ()


@pytest.mark.parametrize("broken", [answering("", 500), answering("nonsense"), answering({"a": 1})])
async def test_a_broken_index_does_not_hide_the_templates_of_packs(broken: Handler) -> None:
    packs = {"GET /api/workflow_templates": answering({"pack": ["one"]})}
    index = {"GET /templates/index.json": broken}
    found = await asked(lambda client: client.templates(), {**packs, **index})
    assert [(group.title, len(group.templates)) for group in found] == [("ComfyUI", 0), ("pack", 1)]
    assert [bool(group.problem) for group in found] == [True, False]
    with pytest.raises(ComfyError):
        await asked(lambda client: client.templates(), index)


async def test_a_template_is_read_where_it_is_kept() -> None:
    routes = {
        "GET /templates/a b.json": answering(WORKFLOW),
        "GET /api/workflow_templates/pack/x.json": answering({"pack": True}),
    }
    assert await asked(lambda client: client.template(Template("a b", "A")), routes) == WORKFLOW
    assert await asked(lambda client: client.template(Template("x", "X", "pack")), routes) == {"pack": True}
    assert await asked(lambda client: client.template(Template("../a b", "A")), routes) is None


async def test_the_metadata_of_a_lora_has_its_trigger_words_by_frequency() -> None:
    body = {
        "ss_tag_frequency": json.dumps({"10_fox": {"snow": 40, "red fox": 100}, "5_x": {" red fox ": 20, "bad": "no"}}),
        "modelspec.title": "Fox style",
        "modelspec.trigger_phrase": "fx style, snow",
        "ss_base_model_version": "sdxl_base_v1-0",
    }
    found = await asked(
        lambda client: client.lora_metadata("fox.safetensors"), {"GET /api/view_metadata/loras": answering(body)}
    )
    assert found == LoraMetadata("Fox style", "fx style, snow", (("red fox", 120), ("snow", 40)), "sdxl_base_v1-0")
    assert found.trigger_words == ("fx style", "snow", "red fox")


@pytest.mark.parametrize("frequency", ["{", "[]", "7", '{"a": {"b": 1e999}}', "[" * 100_000, None, {"a": 1}])
async def test_broken_tags_of_a_lora_are_left_out(frequency: object) -> None:
    body = {"ss_tag_frequency": frequency, "modelspec.title": "Fox"}
    found = await asked(lambda client: client.lora_metadata("fox"), {"GET /api/view_metadata/loras": answering(body)})
    assert found == LoraMetadata("Fox")


async def test_lists_of_models_and_embeddings_are_empty_or_none_where_there_are_none() -> None:
    assert await asked(
        lambda client: client.model_names("loras"), {"GET /api/models/loras": answering(["a", 1, "a", ""])}
    ) == ("a",)
    assert await asked(lambda client: client.model_names("no/such"), {}) is None
    assert await asked(lambda client: client.embeddings(), {}) == ()
    assert await asked(lambda client: client.embeddings(), {"GET /api/embeddings": answering(["easynegative"])}) == (
        "easynegative",
    )
    assert await asked(lambda client: client.model_folders(), {}) == ()


def _definition(number: int, names: int) -> dict[str, Any]:
    return {"input": {"required": {"model": [[f"{number}-{name}" for name in range(names)]]}}, "name": str(number)}


@pytest.mark.parametrize("infinite", [False, True])
async def test_all_definitions_are_read_in_pieces(infinite: bool) -> None:
    sent = {f"Class{number}": _definition(number, 200) for number in range(300)}
    if infinite:
        sent["Class7"]["max"] = float("inf")
    found = await asked(lambda client: client.definitions(), {"GET /api/object_info": answering(sent)})
    assert found == sent


@pytest.mark.parametrize("body", ["[]", "nonsense", '{"a": 1', json.dumps({str(n): "x" for n in range(100)})])
async def test_what_is_no_definitions_is_refused(body: str) -> None:
    with pytest.raises(NotComfyUI):
        await asked(lambda client: client.definitions(), {"GET /api/object_info": answering(body)})


async def test_too_many_definitions_are_refused() -> None:
    sent = {f"Class{number}": _definition(number, 20_000) for number in range(90)}
    with pytest.raises(ServerError, match="values"):
        await asked(lambda client: client.definitions(), {"GET /api/object_info": answering(sent)})


async def test_a_few_malformed_definitions_are_left_out() -> None:
    sent = {"Good": _definition(1, 1), "Bad": 7, "Worse": {"name": "Worse"}}
    found = await asked(lambda client: client.definitions(), {"GET /api/object_info": answering(sent)})
    assert set(found) == {"Good"}


async def test_an_old_server_without_api_has_everything_at_its_root() -> None:
    routes = {
        "GET /api/{path:.*}": answering("404: Not Found", 404),
        "GET /userdata": answering(["a.json"]),
        "GET /userdata/{file}": answering(WORKFLOW),
        "GET /models/loras": answering(["a.safetensors"]),
        "GET /object_info": answering({"A": _definition(1, 1)}),
        "POST /upload/image": answering({"name": "a.png"}),
    }
    async with serving(routes) as url, ComfyClient(Server.from_url(url)) as client:
        assert await client.saved_workflows() == (SavedWorkflow("a.json"),)
        assert await client.saved_workflow("a.json") == WORKFLOW
        assert await client.model_names("loras") == ("a.safetensors",)
        assert list(await client.definitions()) == ["A"]
        assert (await client.upload(b"png", "a.png")).value == "a.png"
