"""Image files over HTTP: saved and converted images, and refused requests."""

import json
from io import BytesIO

import pytest
from PIL import Image, ImageChops

from comfytui.sim.files import MAX_STORED_BYTES, Files
from tests.sim.client import client
from tests.sim.graphs import inverted, text_to_image


def _image(content: bytes) -> Image.Image:
    with Image.open(BytesIO(content)) as image:
        image.load()
        return image


def _png(size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, (250, 10, 30)).save(buffer, "PNG")
    return buffer.getvalue()


async def test_a_saved_image_contains_its_prompt() -> None:
    async with client() as it:
        graph = text_to_image(size=128, prefix="a/b/fox %width%")
        entry = await it.run(graph, extra_data={"extra_pnginfo": {"workflow": {"id": "w1"}}})
        (shown,) = entry["outputs"]["9"]["images"]
        assert shown == {"filename": "fox 128_00001_.png", "subfolder": "a/b", "type": "output"}
        response = await it.http.get("/view", params=shown)
        image = _image(response.content)
        assert (response.headers["content-type"], image.size) == ("image/png", (128, 128))
        assert json.loads(image.info["prompt"])["6"]["inputs"]["text"] == "a red fox in snow"
        assert json.loads(image.info["workflow"]) == {"id": "w1"}
        job = (await it.get("/api/jobs"))["jobs"][0]
        assert (job["workflow_id"], job["preview_output"]["filename"]) == ("w1", shown["filename"])


@pytest.mark.parametrize("form", ["webp", "jpeg"])
async def test_a_preview_has_its_format_and_fewer_bytes(form: str) -> None:
    async with client() as it:
        await it.run(text_to_image(size=256))
        query = {"filename": "test_00001_.png"}
        whole = await it.http.get("/view", params=query)
        light = await it.http.get("/view", params={**query, "preview": f"{form};50"})
        assert light.headers["content-type"] == f"image/{form}"
        assert _image(light.content).size == (256, 256)
        assert len(light.content) < len(whole.content)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"filename": "../secret.png"}, 400),
        ({"filename": "/etc/passwd"}, 400),
        ({"filename": "x.png", "subfolder": "../.."}, 403),
        ({"filename": "x.png", "subfolder": "/etc"}, 403),
        ({"filename": "x.png", "type": "elsewhere"}, 400),
        ({"filename": "missing.png"}, 404),
        ({}, 404),
    ],
)
async def test_view_refuses_what_is_no_output_file(query: dict[str, str], status: int) -> None:
    async with client() as it:
        assert (await it.http.get("/view", params=query)).status_code == status


async def test_saving_outside_the_output_folder_is_an_error() -> None:
    async with client() as it:
        entry = await it.run(text_to_image(prefix="../out"))
        assert "outside the output folder" in entry["status"]["messages"][-1][1]["exception_message"]


async def test_an_uploaded_image_runs_through_a_graph_without_sampler() -> None:
    async with client() as it:
        response = await it.http.post("/upload/image", files={"image": ("red.png", _png(), "image/png")})
        assert response.json() == {"name": "red.png", "subfolder": "", "type": "input"}
        info = await it.get("/object_info/LoadImage")
        assert info["LoadImage"]["input"]["required"]["image"][0] == ["example.png", "red.png"]
        entry = await it.run(inverted("red.png"))
        (shown,) = entry["outputs"]["4"]["images"]
        image = _image((await it.http.get("/view", params=shown)).content)
        assert (shown["type"], image.size, image.getpixel((5, 5))) == ("temp", (32, 24), (5, 245, 225))


async def test_uploads_never_overwrite_unless_asked() -> None:
    async with client() as it:
        names = []
        for content, form in ((_png(), {}), (_png(), {}), (_png((8, 8)), {}), (_png((9, 9)), {"overwrite": "true"})):
            response = await it.http.post("/upload/image", files={"image": ("a.png", content)}, data=form)
            names.append(response.json()["name"])
        assert names == ["a.png", "a.png", "a (1).png", "a.png"]
        escape = await it.http.post("/upload/image", files={"image": ("a.png", _png())}, data={"subfolder": "../x"})
        assert escape.status_code == 400


async def test_a_changed_upload_is_not_taken_from_the_cache() -> None:
    async with client() as it:
        sizes = []
        for size in ((64, 48), (64, 64)):
            await it.http.post("/upload/image", files={"image": ("a.png", _png(size))}, data={"overwrite": "1"})
            (shown,) = (await it.run(inverted("a.png")))["outputs"]["4"]["images"]
            sizes.append(_image((await it.http.get("/view", params=shown)).content).size)
        assert sizes == [(32, 24), (32, 32)]


async def test_equal_prompts_give_equal_images() -> None:
    async with client() as it:
        for prefix in ("one", "two"):
            await it.run(text_to_image(prefix=prefix))
        one, two = [
            (await it.http.get("/view", params={"filename": f"{name}_00001_.png"})).content for name in ("one", "two")
        ]
        assert ImageChops.difference(_image(one), _image(two)).getbbox() is None


def test_files_are_bounded() -> None:
    files = Files()
    for number in range(5):
        files.put(("output", "", f"{number}.png"), bytes(MAX_STORED_BYTES // 3))
    assert [name for _, _, name in files.contents] == ["2.png", "3.png", "4.png"]
