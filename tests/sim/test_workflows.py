"""Saved workflows and templates over HTTP, what they need, and uploads and masks."""

import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from comfytui.sim.catalogue import catalogue
from comfytui.sim.config import SimConfig
from comfytui.sim.workflows import PACK_TEMPLATES, SAVED, template_index, workflow_file
from tests.sim.client import FAST, client
from tests.sim.graphs import node

NAMES = sorted({each["name"] for group in template_index() for each in group["templates"]} | set(SAVED.values()))
WITHOUT_WIDGETS = {"MarkdownNote"}
WITH_UPLOAD = {"LoadImage"}
SEEDS = ("seed", "noise_seed")


def _png(colour: tuple[int, ...], size: tuple[int, int] = (8, 8)) -> bytes:
    buffer = BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


# Saved workflows


async def test_saved_workflows_are_listed_in_each_form() -> None:
    async with client() as it:
        plain = await it.get("/userdata", dir="workflows", recurse="true")
        assert sorted(plain) == sorted(SAVED)
        assert sorted(await it.get("/userdata", dir="workflows")) == sorted(each for each in SAVED if "/" not in each)
        split = await it.get("/userdata", dir="workflows", recurse="true", split="true")
        assert ["loras/two styles.json", "loras", "two styles.json"] in split
        (full,) = await it.get("/userdata", dir="workflows/loras", full_info="true")
        assert (full["path"], full["size"]) == ("two styles.json", len(workflow_file("two_loras")))
        tree = (await it.http.get("/v2/userdata", params={"path": "workflows"})).json()
        assert [each["type"] for each in tree] == ["directory", "file", "file", "file"]


@pytest.mark.parametrize(
    ("query", "status"), [({}, 400), ({"dir": ".."}, 403), ({"dir": "/etc"}, 403), ({"dir": "none"}, 404)]
)
async def test_other_folders_are_refused(query: dict[str, str], status: int) -> None:
    async with client() as it:
        assert (await it.http.get("/userdata", params=query)).status_code == status


async def test_a_saved_workflow_survives_a_restart_and_no_new_disk() -> None:
    async with client() as it:
        path = "/userdata/workflows%2Fnew.json"
        assert (await it.http.post(path, content=b"{}")).json() == "workflows/new.json"
        assert (await it.http.post(f"{path}?overwrite=false", content=b"[]")).status_code == 409
        await it.server.restart()
        assert (await it.get(path)) == {}
        assert (await it.http.delete(path)).status_code == 204
        assert (await it.http.delete(path)).status_code == 404
        await it.http.post(path, content=b"{}")
        await it.server.restart(new_disk=True)
        assert (await it.http.get(path)).status_code == 404
        assert (await it.http.get("/userdata/workflows%2Ffox in snow.json")).status_code == 200


# Templates


async def test_templates_are_read_where_the_editor_reads_them() -> None:
    async with client() as it:
        groups = await it.get("/templates/index.json")
        for name in (each["name"] for group in groups for each in group["templates"]):
            assert (await it.get(f"/templates/{name}.json"))["nodes"]
        assert await it.get("/workflow_templates") == PACK_TEMPLATES
        assert (await it.get("/api/workflow_templates/lab-nodes/lab_sampler.json"))["nodes"]
        for missing in (
            "/templates/missing_pack.json",
            "/templates/no.json",
            "/api/workflow_templates/lab-nodes/no.json",
        ):
            assert (await it.http.get(missing)).status_code == 404


async def test_a_server_may_have_none() -> None:
    async with client(SimConfig(has_workflows=False)) as it:
        assert (await it.http.get("/templates/index.json")).status_code == 404
        assert await it.get("/workflow_templates") == {}
        assert (await it.http.get("/userdata", params={"dir": "workflows"})).text == "Directory not found"


def _graphs_of(name: str) -> list[dict[str, Any]]:
    workflow = json.loads(workflow_file(name))
    return [workflow, *workflow.get("definitions", {}).get("subgraphs", ())]


@pytest.mark.parametrize("name", NAMES)
def test_the_links_of_a_workflow_join_outputs_with_inputs_of_the_same_type(name: str) -> None:
    for graph in _graphs_of(name):
        nodes = {each["id"]: each for each in graph["nodes"]}
        for link in graph["links"]:
            ids = link if isinstance(link, list) else list(link.values())
            number, origin, origin_slot, target, target_slot, kind = ids
            source = graph["inputs"][origin_slot] if origin == -10 else nodes[origin]["outputs"][origin_slot]
            sink = graph["outputs"][target_slot] if target == -20 else nodes[target]["inputs"][target_slot]
            assert source["type"] == sink["type"] == kind
            assert number in source.get("links", source.get("linkIds"))
            assert number in (sink.get("link"), *sink.get("linkIds", ()))


@pytest.mark.parametrize("name", [*NAMES, *PACK_TEMPLATES["lab-nodes"]])
def test_a_workflow_has_a_value_for_each_widget(name: str) -> None:
    known = catalogue(FAST, ("example.png",))
    for graph in _graphs_of(name):
        for each in graph["nodes"]:
            if each["type"] not in known:
                assert name in {"missing_pack", "subgraph"} or each["type"] in WITHOUT_WIDGETS
                continue
            inputs = known[each["type"]].inputs
            linked = {entry["name"] for entry in each["inputs"] if "widget" not in entry}
            widgets = [key for key in inputs if key not in linked]
            count = len(widgets) + sum(key in SEEDS for key in widgets)
            count += each["type"] in WITH_UPLOAD
            assert len(each["widgets_values"]) == count, each["type"]


@pytest.mark.parametrize("name", [each for each in NAMES if each != "missing_pack"])
def test_the_models_of_a_template_are_there(name: str) -> None:
    models = {*FAST.checkpoints, *FAST.loras, *FAST.controlnets}
    for graph in _graphs_of(name):
        values = [value for each in graph["nodes"] for value in each["widgets_values"] if isinstance(value, str)]
        assert models >= {value for value in values if value.endswith(".safetensors")}


# What they run


async def test_a_graph_with_loras_a_controlnet_and_an_encoded_image_runs() -> None:
    async with client() as it:
        both = {"model": ["1", 0], "clip": ["1", 1]}
        graph = {
            "1": node("CheckpointLoaderSimple", ckpt_name=FAST.checkpoints[0]),
            "2": node("LoraLoader", **both, lora_name=FAST.loras[0], strength_model=1, strength_clip=1),
            "3": node("LoraLoaderModelOnly", model=["2", 0], lora_name=FAST.loras[1], strength_model=-0.5),
            "4": node("CLIPSetLastLayer", clip=["2", 1], stop_at_clip_layer=-2),
            "5": node("PrimitiveStringMultiline", value="a fox"),
            "6": node("CLIPTextEncode", clip=["4", 0], text=["5", 0]),
            "7": node("LoadImage", image="example.png"),
            "8": node("VAEEncode", pixels=["7", 0], vae=["1", 2]),
            "9": node("ControlNetLoader", control_net_name=FAST.controlnets[0]),
            "10": node(
                "ControlNetApplyAdvanced",
                **{"positive": ["6", 0], "negative": ["6", 0], "control_net": ["9", 0], "image": ["7", 0]},
                **{"strength": 1, "start_percent": 0, "end_percent": 1},
            ),
            "11": node("PrimitiveInt", value=2),
            "12": node("SetLatentNoiseMask", samples=["8", 0], mask=["7", 1]),
            "13": node(
                "KSampler",
                **{"model": ["3", 0], "positive": ["10", 0], "negative": ["10", 1], "latent_image": ["12", 0]},
                **{"seed": 1, "steps": ["11", 0], "cfg": 7, "sampler_name": "euler", "scheduler": "normal"},
                denoise=0.25,
            ),
            "14": node("VAEDecode", samples=["13", 0], vae=["1", 2]),
            "15": node("SaveImage", images=["14", 0], filename_prefix="redrawn"),
            "16": node("EmptyImage", width=16, height=8, batch_size=2, color=0x3366FF),
            "17": node("PreviewImage", images=["16", 0]),
        }
        outputs = (await it.run(graph))["outputs"]
        (saved,), blue = outputs["15"]["images"], outputs["17"]["images"]
        before = await _pixel(it.http, {"filename": "example.png", "type": "input"})
        after = await _pixel(it.http, saved)
        assert 0 < max(abs(one - two) for one, two in zip(before, after, strict=True)) < 128
        assert [await _pixel(it.http, each) for each in blue] == [(0x33, 0x66, 0xFF)] * 2


async def _pixel(http: Any, file: dict[str, str]) -> tuple[int, ...]:
    response = await http.get("/view", params=file)
    with Image.open(BytesIO(response.content)) as image:
        pixel = image.convert("RGB").getpixel((5, 5))
    assert isinstance(pixel, tuple)
    return tuple(int(each) for each in pixel)


# Masks


async def test_a_mask_is_the_alpha_channel_of_the_image_that_it_belongs_to() -> None:
    async with client() as it:
        await it.http.post("/upload/image", files={"image": ("a.png", _png((9, 8, 7)))}, data={"subfolder": "s"})
        reference = json.dumps({"filename": "a.png", "subfolder": "s", "type": "input"})
        response = await it.http.post(
            "/upload/mask", files={"image": ("mask.png", _png((0, 0, 0, 50)))}, data={"original_ref": reference}
        )
        assert response.json() == {"name": "mask.png", "subfolder": "", "type": "input"}
        content = (await it.http.get("/view", params={"filename": "mask.png", "type": "input"})).content
        with Image.open(BytesIO(content)) as image:
            assert image.getpixel((0, 0)) == (9, 8, 7, 50)


async def test_a_mask_of_nothing_is_named_although_nothing_is_stored() -> None:
    async with client() as it:
        response = await it.http.post(
            "/upload/mask",
            files={"image": ("mask.png", _png((0, 0, 0, 50)))},
            data={"original_ref": '{"filename": "x"}'},
        )
        assert response.json()["name"] == "mask.png"
        assert (await it.http.get("/view", params={"filename": "mask.png", "type": "input"})).status_code == 404


async def test_a_body_above_the_limit_is_refused() -> None:
    async with client() as it:
        limit = (await it.get("/features"))["max_upload_size"]
        response = await it.http.post("/upload/image", files={"image": ("a.png", bytes(limit + 1))})
        assert response.status_code == 413
