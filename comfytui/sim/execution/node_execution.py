"""What each node type does when it runs."""

from collections.abc import Awaitable, Callable

from comfytui.sim.execution import image_nodes, sampling
from comfytui.sim.execution.call import Call, Result
from comfytui.sim.execution.runtime_values import (
    Conditioning,
    Guider,
    Latent,
    Model,
    Noise,
    SamplerName,
    Sigmas,
    Value,
    scaled,
)
from comfytui.sim.memory import sizes_of

READ_SHARE, TEXT_SHARE = 0.6, 0.1
"""Parts of the load time: reading the file, and bringing its text model into memory."""


async def run_node(call: Call) -> Result:
    """Run a node; raises NodeFailedError or InterruptedRunError."""
    return await BEHAVIOURS[call.kind](call)


def pure(compute: Callable[[Call], tuple[Value, ...]]) -> Callable[[Call], Awaitable[Result]]:
    """Make a behaviour of a function that needs no time."""

    async def behave(call: Call) -> Result:
        return Result(compute(call))

    return behave


async def load_checkpoint(call: Call) -> Result:
    """Read a checkpoint file: most of the load time, and the lines that ComfyUI prints meanwhile."""
    file = call["ckpt_name"]
    model = await _read(call, file, sizes_of(file, call.box.config.device).total)
    box = call.box
    attention = "pytorch" if box.config.device == "cuda" else "split"
    box.logs.info(f"Using {attention} attention in VAE")
    box.logs.info(f"Using {attention} attention in VAE")
    vae_dtype = "torch.bfloat16" if box.config.device == "cuda" else "torch.float32"
    box.logs.info(f"VAE load device: {_device(call)}, offload device: cpu, dtype: {vae_dtype}")
    await box.bring(model.file, sizes_of(model.file, box.config.device).text, TEXT_SHARE)
    box.logs.info(
        f"CLIP/text encoder model load device: {_device(call)}, offload device: cpu, "
        f"current: {_device(call)}, dtype: torch.float16"
    )
    return Result((model, model, model))


async def load_diffusion_model(call: Call) -> Result:
    """Read a diffusion model without its text model and VAE."""
    file = call["unet_name"]
    return Result((await _read(call, file, sizes_of(file, call.box.config.device).diffusion.mib),))


async def encode_text(call: Call) -> Result:
    """Encode a text, after loading the text model if it is not in memory."""
    file = call["clip"].file
    await call.box.bring(file, sizes_of(file, call.box.config.device).text, TEXT_SHARE)
    return Result((Conditioning(call["text"]),))


async def _read(call: Call, file: str, mib: float) -> Model:
    box = call.box
    dtype = "torch.float16" if box.config.device == "cuda" else "torch.float32"
    await box.read(file, mib, READ_SHARE)
    box.logs.info(f"model weight dtype {dtype}, manual cast: None")
    box.logs.info(f"model_type {'FLUX' if 'flux' in file.lower() else 'EPS'}")
    return Model(file)


def _device(call: Call) -> str:
    return "cuda:0" if call.box.config.device == "cuda" else "cpu"


BEHAVIOURS: dict[str, Callable[[Call], Awaitable[Result]]] = {
    "CheckpointLoaderSimple": load_checkpoint,
    "UNETLoader": load_diffusion_model,
    "DualCLIPLoader": pure(lambda call: (Model(call["clip_name1"]),)),
    "VAELoader": pure(lambda call: (Model(call["vae_name"]),)),
    "CLIPTextEncode": encode_text,
    "FluxGuidance": pure(lambda call: (call["conditioning"],)),
    "EmptyLatentImage": pure(lambda call: (Latent(call["width"], call["height"], call["batch_size"]),)),
    "EmptySD3LatentImage": pure(lambda call: (Latent(call["width"], call["height"], call["batch_size"]),)),
    "LatentUpscale": pure(lambda call: (scaled(call["samples"], call["width"], call["height"]),)),
    "KSampler": sampling.ksampler,
    "KSamplerAdvanced": sampling.ksampler_advanced,
    "SamplerCustomAdvanced": sampling.sampler_custom_advanced,
    "LabSampler": sampling.lab_sampler,
    "RandomNoise": pure(lambda call: (Noise(call["noise_seed"]),)),
    "BasicScheduler": pure(lambda call: (Sigmas(call["steps"] if call["denoise"] > 0 else 0),)),
    "KSamplerSelect": pure(lambda call: (SamplerName(call["sampler_name"]),)),
    "BasicGuider": pure(lambda call: (Guider(call["model"], call["conditioning"]),)),
    "CFGGuider": pure(lambda call: (Guider(call["model"], call["positive"]),)),
    "VAEDecode": image_nodes.decode,
    "SaveImage": image_nodes.save,
    "PreviewImage": image_nodes.save_temporary,
    "LoadImage": image_nodes.load,
    "ImageScale": image_nodes.scale,
    "ImageInvert": image_nodes.invert,
}
