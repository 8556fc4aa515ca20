"""What a server offers to make prompts with, read from the simulator, which answers as a recorded ComfyUI."""

from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from PIL import Image

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ServerError
from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.library import ServerFile, server_file
from comfytui.comfy.server import Server
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.sim.workflows import SAVED, template_index

IMAGE = Image.new("RGB", (32, 24), (250, 10, 30))


def _png(image: Image.Image = IMAGE) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
async def client() -> AsyncIterator[ComfyClient]:
    async with SimServer() as sim, ComfyClient(Server.from_url(sim.url)) as client:
        yield client


async def test_every_saved_workflow_can_be_read(client: ComfyClient) -> None:
    found = await client.saved_workflows()
    assert found is not None
    assert {each.path for each in found} == set(SAVED)
    for each in found:
        assert each.size is not None
        assert (await client.saved_workflow(each.path))["nodes"]


async def test_every_template_can_be_read(client: ComfyClient) -> None:
    groups = await client.templates()
    assert [each.title for each in groups] == [*(group["title"] for group in template_index()), "lab-nodes"]
    for template in (each for group in groups for each in group.templates):
        assert (await client.template(template))["nodes"]


async def test_a_server_without_them_has_none_of_either() -> None:
    async with SimServer(SimConfig(has_workflows=False)) as sim, ComfyClient(Server.from_url(sim.url)) as client:
        assert await client.saved_workflows() == ()
        assert await client.templates() == ()


async def test_models_and_what_a_lora_says(client: ComfyClient) -> None:
    assert "loras" in await client.model_folders()
    assert await client.model_names("no such folder") is None
    assert await client.embeddings() == ("easynegative", "negativeXL_D")
    names = await client.model_names("loras") or ()
    said = {name: await client.lora_metadata(name) for name in names}
    assert said["detail_tweaker_xl.safetensors"] is None
    pixel = said["pixel-art-xl.safetensors"]
    assert pixel is not None
    assert pixel.trigger_words[:2] == ("pixel art", "16-bit")
    watercolour = said["styles/watercolour_xl.safetensors"]
    assert watercolour is not None
    assert watercolour.tags[0] == ("watercolour", 116)


async def test_all_definitions_are_those_of_each_class(client: ComfyClient) -> None:
    everything = await client.definitions()
    assert len(everything) > 30
    for name in ("KSampler", "LoadImage", "LoraLoader"):
        assert await client.object_info(name) == {name: everything[name]}


async def test_the_name_of_an_upload_is_the_one_that_the_server_gave_it(client: ComfyClient) -> None:
    first = await client.upload(_png(), "fox.png", subfolder="a/b")
    same = await client.upload(_png(), "fox.png", subfolder="a/b")
    other = await client.upload(_png(Image.new("RGB", (8, 8))), "fox.png", subfolder="a/b")
    assert [each.value for each in (first, same, other)] == ["a/b/fox.png", "a/b/fox.png", "a/b/fox (1).png"]
    replaced = await client.upload(_png(Image.new("RGB", (9, 9))), "fox.png", subfolder="a/b", overwrite=True)
    assert replaced == first
    with pytest.raises(ServerError, match="does not take a file"):
        await client.upload(_png(), "fox.png", subfolder="../../x")


async def test_a_mask_is_put_into_the_image_that_it_belongs_to(client: ComfyClient) -> None:
    image = await client.upload(_png(), "fox.png")
    mask = await client.upload(_png(Image.new("RGBA", IMAGE.size, (0, 0, 0, 70))), "mask.png", mask_of=image)
    content = await client.view(Output(mask.name, mask.subfolder, mask.folder))
    with Image.open(BytesIO(content)) as masked:
        assert masked.getpixel((3, 3)) == (250, 10, 30, 70)


async def test_a_mask_of_a_picture_that_is_missing_is_an_error(client: ComfyClient) -> None:
    mask = _png(Image.new("RGBA", IMAGE.size))
    with pytest.raises(ServerError, match=r"has no picture a/fox\.png, so the mask was not kept"):
        await client.upload(mask, "mask.png", subfolder="clipspace", mask_of=ServerFile("fox.png", "a"))


async def test_a_mask_of_another_size_is_said_in_words(client: ComfyClient) -> None:
    image = await client.upload(_png(), "fox.png")
    with pytest.raises(ServerError, match=r"could not put the mask into fox\.png: make it of the same size"):
        await client.upload(_png(Image.new("RGBA", (8, 8))), "mask.png", mask_of=image)


@pytest.mark.parametrize("file", [ServerFile("x.png"), ServerFile("x.png", "a/b"), ServerFile("x [y].png", "", "temp")])
def test_a_file_is_found_by_the_value_of_an_input(file: ServerFile) -> None:
    assert server_file(file.value) == file


async def test_a_file_above_the_limit_of_comfyui_is_refused_before_it_is_sent(client: ComfyClient) -> None:
    with pytest.raises(ServerError, match=r"takes no file of 104\.9 MB: its limit is 104\.9 MB"):
        await client.upload(bytes(100 * 2**20), "large.png")


async def test_a_file_in_another_folder_is_named_with_it() -> None:
    assert ServerFile("x.png", "sub", "output").value == "sub/x.png [output]"
