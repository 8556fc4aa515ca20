"""The fields that are found in graphs as users have them."""

import pytest

from comfytui.workflow.fields import MAX_SEEDS, Field, find_fields, seed_keys
from tests.workflow.graphs import Graph, flux, node, stable_diffusion, unusual

TXT2IMG = {
    "model": "4.ckpt_name",
    "prompt": "6.text",
    "negative": "7.text",
    "width": "5.width",
    "height": "5.height",
    "steps": "3.steps",
    "cfg": "3.cfg",
    "sampler": "3.sampler_name",
    "scheduler": "3.scheduler",
    "denoise": "3.denoise",
    "seed": "3.seed",
    "filename_prefix": "9.filename_prefix",
}
FLUX_LOADERS = {
    "vae": "10.vae_name",
    "text_encoder": "11.clip_name1",
    "text_encoder-2": "11.clip_name2",
    "filename_prefix": "9.filename_prefix",
}
FLUX = FLUX_LOADERS | {
    "model": "12.unet_name",
    "prompt": "6.text",
    "width": "27.width 30.width",
    "height": "27.height 30.height",
    "steps": "17.steps",
    "guidance": "26.guidance",
    "sampler": "16.sampler_name",
    "scheduler": "17.scheduler",
    "denoise": "17.denoise",
    "seed": "25.noise_seed",
}
CASES = {
    "sd15": (stable_diffusion.sd15(), TXT2IMG),
    "hires": (
        stable_diffusion.hires(),
        TXT2IMG
        | {
            "cfg": "3.cfg 1.cfg",
            "sampler": "3.sampler_name 1.sampler_name",
            "scheduler": "3.scheduler 1.scheduler",
            "width-2": "10.width",
            "height-2": "10.height",
            "steps-2": "1.steps",
            "denoise-2": "1.denoise",
            "seed": "3.seed",
            "seed-2": "1.seed",
        },
    ),
    "base and refiner": (
        stable_diffusion.base_and_refiner(),
        {
            "model": "4.ckpt_name",
            "model-2": "12.ckpt_name",
            "prompt": "6.text_g 6.text_l 15.text",
            "negative": "7.text 16.text",
            "width": "5.width",
            "height": "5.height",
            "steps": "10.steps 11.steps",
            "cfg": "10.cfg 11.cfg",
            "sampler": "10.sampler_name 11.sampler_name",
            "scheduler": "10.scheduler 11.scheduler",
            "seed": "10.noise_seed",
            "seed-2": "11.noise_seed",
            "filename_prefix": "19.filename_prefix",
        },
    ),
    "controlnet, lora, subgraph ids, primitives": (
        stable_diffusion.controlled(),
        {
            "model": "4.ckpt_name",
            "prompt": "37.value",
            "prompt-2": "36.text",
            "image": "34.image",
            "denoise": "12:3.denoise",
            "lora": "12:20.lora_name",
            "lora-2": "12:21.lora_name",
            "lora_on": "12:20.",
            "lora_on-2": "12:21.",
            "lora_strength": "12:20.strength_model",
            "lora_strength-2": "12:21.strength_model",
            "lora_clip_strength": "12:20.strength_clip",
            "controlnet_strength": "12:30.strength",
            "filename_prefix": "9.filename_prefix",
            "negative": "7.text",
            "width": "40.value",
            "height": "41.value",
            "steps": "12:3.steps",
            "cfg": "12:3.cfg",
            "sampler": "12:3.sampler_name",
            "scheduler": "12:3.scheduler",
            "seed": "50.seed",
        },
    ),
    "flux, custom sampler": (flux.custom_sampler(), FLUX),
    "flux, two prompts": (flux.with_two_prompts(), FLUX | {"negative": "7.text", "cfg": "22.cfg_conds"}),
    "flux, cfg guider": (flux.with_cfg_guider(), FLUX | {"negative": "7.text", "cfg": "22.cfg"}),
    "flux, ksampler": (
        flux.ksampler(),
        FLUX_LOADERS
        | {
            "denoise": "3.denoise",
            "model": "12.unet_name",
            "prompt": "6.t5xxl 6.clip_l",
            "width": "27.width",
            "height": "27.height",
            "steps": "3.steps",
            "cfg": "3.cfg",
            "guidance": "26.guidance",
            "sampler": "3.sampler_name",
            "scheduler": "3.scheduler",
            "seed": "3.seed",
        },
    ),
    "no sampler": (unusual.no_sampler(), {"image": "1.image", "filename_prefix": "3.filename_prefix"}),
    "only a seed": (
        unusual.only_a_seed(),
        {"seed": "2.seed", "image": "1.image", "filename_prefix": "3.filename_prefix"},
    ),
    "all in one": (
        unusual.all_in_one(),
        {"prompt": "1.text", "width": "1.width", "height": "1.height", "steps": "1.steps", "seed": "1.seed"}
        | {"filename_prefix": "2.filename_prefix"},
    ),
    "efficient": (
        unusual.efficient(),
        {
            "model": "1.ckpt_name",
            "prompt": "1.positive",
            "negative": "1.negative",
            "width": "1.empty_latent_width",
            "height": "1.empty_latent_height",
            "steps": "2.steps",
            "cfg": "2.cfg",
            "sampler": "2.sampler_name",
            "scheduler": "2.scheduler",
            "seed": "2.seed",
            "filename_prefix": "3.filename_prefix",
        },
    ),
    "wildcards, negative is the prompt": (
        unusual.wildcards(),
        {key: value for key, value in TXT2IMG.items() if key != "negative"}
        | {"prompt": "20.text", "seed": "3.seed", "seed-2": "20.seed"},
    ),
}


def slots_by_field(graph: object) -> dict[str, str]:
    return {
        str(key): " ".join(f"{slot.node_id}.{slot.input_name}" for slot in slots)
        for key, slots in find_fields(graph).items()
    }


@pytest.mark.parametrize(("graph", "expected"), CASES.values(), ids=CASES.keys())
def test_finds_exactly_the_fields_of_the_graph(graph: Graph, expected: dict[str, str]) -> None:
    assert slots_by_field(graph) == expected


def test_the_sampler_in_use_decides_and_its_source_image_has_the_size() -> None:
    found = slots_by_field(unusual.image_to_image())
    assert found["steps"] == "3.steps"
    assert found["width"] == "12.width"
    assert found["height"] == "12.height"


def test_a_slot_has_the_class_of_its_node() -> None:
    slots = find_fields(flux.custom_sampler())
    assert slots[Field.STEPS][0].class_type == "BasicScheduler"
    assert slots[Field.SEED][0].class_type == "RandomNoise"


def test_one_value_for_width_and_height_is_one_field() -> None:
    graph = stable_diffusion.sd15()
    graph["5"]["inputs"] |= {"width": ["50", 0], "height": ["50", 0]}
    graph["50"] = {"class_type": "PrimitiveInt", "inputs": {"value": 512}}
    found = slots_by_field(graph)
    assert found["width"] == "50.value"
    assert "height" not in found


def test_a_detailer_with_its_own_prompt_has_a_field_for_it() -> None:
    graph = stable_diffusion.hires()
    graph["30"] = {"class_type": "CLIPTextEncode", "inputs": {"text": "a detailed face", "clip": ["4", 1]}}
    graph["1"]["inputs"]["positive"] = ["30", 0]
    found = slots_by_field(graph)
    assert (found["prompt"], found["prompt-2"]) == ("6.text", "30.text")


def test_only_the_chosen_input_of_a_switch_counts() -> None:
    graph = stable_diffusion.sd15()
    graph["3"]["inputs"] |= {"model": ["50", 0], "steps": ["51", 0]}
    switch = {"switch": ["60", 0], "on_true": ["61", 0], "on_false": ["4", 0]}
    graph["50"] = {"class_type": "ComfySwitchNode", "inputs": switch}
    graph["51"] = {"class_type": "ComfySwitchNode", "inputs": switch | {"on_true": ["62", 0], "on_false": ["63", 0]}}
    graph["60"] = {"class_type": "PrimitiveBoolean", "inputs": {"value": False}}
    lora = {"model": ["4", 0], "lora_name": "fast", "strength_model": 1.0}
    graph["61"] = {"class_type": "LoraLoaderModelOnly", "inputs": lora}
    graph["62"] = {"class_type": "PrimitiveInt", "inputs": {"value": 8}}
    graph["63"] = {"class_type": "PrimitiveInt", "inputs": {"value": 20}}
    found = slots_by_field(graph)
    assert (found["model"], found["steps"], found.get("lora")) == ("4.ckpt_name", "63.value", None)
    graph["60"]["inputs"]["value"] = True
    found = slots_by_field(graph)
    assert (found["model"], found["steps"], found["lora"]) == ("4.ckpt_name", "62.value", "61.lora_name")


def test_of_joined_texts_the_one_with_a_node_of_its_own_is_the_prompt() -> None:
    graph = stable_diffusion.sd15()
    graph["6"]["inputs"]["text"] = ["50", 0]
    graph["50"] = {"class_type": "StringConcatenate", "inputs": {"string_a": "Style: ", "string_b": ["51", 0]}}
    graph["51"] = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "an owl"}}
    assert slots_by_field(graph)["prompt"] == "51.value"
    graph["50"]["inputs"]["string_b"] = "an owl"
    assert slots_by_field(graph)["prompt"] == "50.string_a"


def test_cycles_of_links_end() -> None:
    graph = stable_diffusion.sd15()
    graph["6"]["inputs"]["text"] = ["20", 0]
    graph["20"] = {"class_type": "Text", "inputs": {"text": ["21", 0]}}
    graph["21"] = {"class_type": "Text", "inputs": {"text": ["20", 0]}}
    graph["5"]["inputs"]["width"] = ["3", 0]
    found = slots_by_field(graph)
    assert "prompt" not in found
    assert found["seed"] == "3.seed"


def test_a_chain_of_thousands_of_nodes_is_followed_to_its_end() -> None:
    graph = stable_diffusion.sd15()
    for index in range(5_000):
        below = str(1_000 + index + 1) if index < 4_999 else "6"
        graph[str(1_000 + index)] = {
            "class_type": "ConditioningSetArea",
            "inputs": {"conditioning": [below, 0], "x": 0},
        }
    graph["3"]["inputs"]["positive"] = ["1000", 0]
    assert slots_by_field(graph)["prompt"] == "6.text"


def test_fields_have_labels() -> None:
    assert [field.label for field in (Field.CFG, Field.SAMPLER)] == ["CFG", "Sampler"]


def test_a_discarded_text_is_no_negative() -> None:
    graph = flux.ksampler()
    graph["40"] = {"class_type": "CLIPTextEncode", "inputs": {"text": "never read", "clip": ["11", 0]}}
    graph["33"]["inputs"]["conditioning"] = ["40", 0]
    assert "negative" not in slots_by_field(graph)


def test_only_the_first_seeds_of_many_are_fields() -> None:
    graph = stable_diffusion.sd15()
    for index in range(100):
        graph[f"d{index}"] = {"class_type": "Dice", "inputs": {"seed": index, "text": "fox"}}
        graph[f"e{index}"] = {"class_type": "CLIPTextEncode", "inputs": {"text": [f"d{index}", 0], "clip": ["4", 1]}}
    graph["50"] = {
        "class_type": "Combine",
        "inputs": {f"conditioning_{index}": [f"e{index}", 0] for index in range(100)},
    }
    graph["3"]["inputs"]["positive"] = ["50", 0]
    assert len(seed_keys(find_fields(graph))) == MAX_SEEDS


def test_one_seed_node_that_feeds_two_samplers_is_one_seed() -> None:
    graph = stable_diffusion.hires()
    graph["50"] = {"class_type": "PrimitiveInt", "inputs": {"value": 5}}
    for sampler in ("1", "3"):
        graph[sampler]["inputs"]["seed"] = ["50", 0]
    found = slots_by_field(graph)
    assert [found[key] for key in seed_keys(found)] == ["50.value"]


def test_a_text_that_a_guider_of_two_prompts_takes_on_both_sides_is_the_negative() -> None:
    graph = flux.with_two_prompts()
    guider = next(each for each in graph.values() if each["class_type"] == "DualCFGGuider")
    guider["inputs"]["cond2"] = guider["inputs"]["negative"]
    assert slots_by_field(graph)["prompt"] == "6.text"
    assert slots_by_field(graph)["negative"] == "7.text"
    assert "prompt-2" not in slots_by_field(graph)


def test_every_seed_of_a_node_is_a_field() -> None:
    graph = {"1": node("TripoImageToModelNode", model_seed=42, texture_seed=42, style="None", **{"model.seed": 7})}
    assert slots_by_field(graph) == {"seed": "1.model.seed", "seed-2": "1.model_seed", "seed-3": "1.texture_seed"}


def test_numbered_texts_are_prompts_of_their_own() -> None:
    texts = {"inputs.text1": "hello", "inputs.text2": "and hello to you", "inputs.texture": "hard"}
    assert slots_by_field({"1": node("Dialogue", seed=1, **texts)}) == {
        "prompt": "1.inputs.text1",
        "prompt-2": "1.inputs.text2",
        "seed": "1.seed",
    }


def test_the_text_of_a_node_without_seed_is_the_prompt_if_there_is_no_other() -> None:
    graph = {"1": node("TextToSound", text="rain"), "2": node("SaveSound", audio=["1", 0]), "3": node("Note", text="x")}
    assert slots_by_field(graph) == {"prompt": "1.text"}


def test_a_computed_length_is_a_duration_and_a_computed_size_is_the_size() -> None:
    graph = {
        "1": node("KSampler", seed=1, positive=["2", 0], latent_image=["3", 0]),
        "2": node("CLIPTextEncode", text="a fox", clip=["9", 0]),
        "3": node("EmptyVideo", width=["4", 0], height=64, length=["5", 0]),
        "4": node("ComfyMathExpression", expression="a / 2", **{"values.a": ["6", 0]}),
        "5": node("ComfyMathExpression", expression="a * b + 1", **{"values.a": ["7", 0], "values.b": ["8", 0]}),
        "6": node("PrimitiveInt", value=1280),
        "7": node("PrimitiveFloat", value=2.5),
        "8": node("PrimitiveInt", value=24),
    }
    assert slots_by_field(graph) == {
        "prompt": "2.text",
        "width": "6.value",
        "height": "3.height",
        "duration": "7.value",
        "seed": "1.seed",
    }
    for each in ("values.a", "values.b"):
        graph["5"]["inputs"][each] = ["5", 0]
    assert "duration" not in slots_by_field(graph)


def test_what_a_chosen_size_is_made_of_are_fields() -> None:
    graph = {
        "1": node("KSampler", seed=1, positive=["2", 0], latent_image=["3", 0]),
        "2": node("CLIPTextEncode", text="a fox", clip=["9", 0]),
        "3": node("EmptyLatentImage", width=["4", 0], height=["4", 1], batch_size=1),
        "4": node("ResolutionSelector", aspect_ratio="16:9", megapixels=0.4, multiple=32),
        "5": node("VideoMaker", **{"model.ratio": "16:9", "model.resolution": "768P"}),
    }
    assert slots_by_field(graph) == {
        "prompt": "2.text",
        "aspect_ratio": "4.aspect_ratio 5.model.ratio",
        "megapixels": "4.megapixels",
        "resolution": "5.model.resolution",
        "seed": "1.seed",
    }


def test_a_maker_of_images_beside_samplers_has_its_prompt_after_theirs() -> None:
    graph = stable_diffusion.sd15()
    graph["0"] = node("GeminiImageNode", prompt="a photo of a tower", seed=5)
    assert slots_by_field(graph)["prompt"] == "6.text"
    assert slots_by_field(graph)["prompt-2"] == "0.prompt"
