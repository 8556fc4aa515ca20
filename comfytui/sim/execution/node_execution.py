"""The function that each node type runs."""

from collections.abc import Awaitable, Callable

from comfytui.sim.execution import image_nodes, sampling
from comfytui.sim.execution.call import NodeCall, NodeResult
from comfytui.sim.execution.runtime_values import (
    Conditioning,
    ControlNet,
    Guider,
    Latent,
    Model,
    Noise,
    SamplerName,
    Sigmas,
    Value,
    resized,
)
from comfytui.sim.memory import sizes_of

READ_SHARE, TEXT_SHARE = 0.6, 0.1
"""Shares of the load time for reading the file and for the text encoder."""


async def run_node(call: NodeCall) -> NodeResult:
    """Run a node.

    Raises:
        NodeFailedError: If the node fails.
        InterruptedRunError: If the run is interrupted.
    """
    return await NODE_FUNCTIONS[call.kind](call)


def instant(compute: Callable[[NodeCall], tuple[Value, ...]]) -> Callable[[NodeCall], Awaitable[NodeResult]]:
    """Turn a function that takes no time into a node function."""

    async def run(call: NodeCall) -> NodeResult:
        return NodeResult(compute(call))

    return run


async def load_checkpoint(call: NodeCall) -> NodeResult:
    """Read a checkpoint file, which takes most of the load time, and log what ComfyUI logs meanwhile."""
    file = call["ckpt_name"]
    model = await _read(call, file, sizes_of(file, call.machine.config.device).total)
    machine = call.machine
    attention = "pytorch" if machine.config.device == "cuda" else "split"
    machine.logs.info(f"Using {attention} attention in VAE")
    machine.logs.info(f"Using {attention} attention in VAE")
    vae_dtype = "torch.bfloat16" if machine.config.device == "cuda" else "torch.float32"
    machine.logs.info(f"VAE load device: {_device(call)}, offload device: cpu, dtype: {vae_dtype}")
    await machine.load_part(model.file, sizes_of(model.file, machine.config.device).text, TEXT_SHARE)
    machine.logs.info(
        f"CLIP/text encoder model load device: {_device(call)}, offload device: cpu, "
        f"current: {_device(call)}, dtype: torch.float16"
    )
    return NodeResult((model, model, model))


async def load_diffusion_model(call: NodeCall) -> NodeResult:
    """Read a diffusion model without text encoder and VAE."""
    file = call["unet_name"]
    return NodeResult((await _read(call, file, sizes_of(file, call.machine.config.device).diffusion.mib),))


async def encode_text(call: NodeCall) -> NodeResult:
    """Encode a text, loading the text encoder first if it is not in memory."""
    file = call["clip"].file
    await call.machine.load_part(file, sizes_of(file, call.machine.config.device).text, TEXT_SHARE)
    return NodeResult((Conditioning(call["text"]),))


async def _read(call: NodeCall, file: str, mib: float) -> Model:
    machine = call.machine
    dtype = "torch.float16" if machine.config.device == "cuda" else "torch.float32"
    await machine.read_model_file(file, mib, READ_SHARE)
    machine.logs.info(f"model weight dtype {dtype}, manual cast: None")
    machine.logs.info(f"model_type {'FLUX' if 'flux' in file.lower() else 'EPS'}")
    return Model(file)


def _device(call: NodeCall) -> str:
    return "cuda:0" if call.machine.config.device == "cuda" else "cpu"


NODE_FUNCTIONS: dict[str, Callable[[NodeCall], Awaitable[NodeResult]]] = {
    "CheckpointLoaderSimple": load_checkpoint,
    "UNETLoader": load_diffusion_model,
    "DualCLIPLoader": instant(lambda call: (Model(call["clip_name1"]),)),
    "VAELoader": instant(lambda call: (Model(call["vae_name"]),)),
    "ControlNetLoader": instant(lambda call: (ControlNet(call["control_net_name"]),)),
    "LoraLoader": instant(lambda call: (call["model"], call["clip"])),
    "LoraLoaderModelOnly": instant(lambda call: (call["model"],)),
    "CLIPSetLastLayer": instant(lambda call: (call["clip"],)),
    "CLIPTextEncode": encode_text,
    "ControlNetApplyAdvanced": instant(lambda call: (call["positive"], call["negative"])),
    "FluxGuidance": instant(lambda call: (call["conditioning"],)),
    "EmptyLatentImage": instant(lambda call: (Latent(call["width"], call["height"], call["batch_size"]),)),
    "EmptySD3LatentImage": instant(lambda call: (Latent(call["width"], call["height"], call["batch_size"]),)),
    "LatentUpscale": instant(lambda call: (resized(call["samples"], call["width"], call["height"]),)),
    "KSampler": sampling.ksampler,
    "KSamplerAdvanced": sampling.ksampler_advanced,
    "SamplerCustomAdvanced": sampling.sampler_custom_advanced,
    "LabSampler": sampling.lab_sampler,
    "RandomNoise": instant(lambda call: (Noise(call["noise_seed"]),)),
    "BasicScheduler": instant(lambda call: (Sigmas(call["steps"] if call["denoise"] > 0 else 0),)),
    "KSamplerSelect": instant(lambda call: (SamplerName(call["sampler_name"]),)),
    "BasicGuider": instant(lambda call: (Guider(call["model"], call["conditioning"]),)),
    "CFGGuider": instant(lambda call: (Guider(call["model"], call["positive"]),)),
    "VAEDecode": image_nodes.decode,
    "VAEEncode": image_nodes.encode,
    "SetLatentNoiseMask": instant(lambda call: (call["samples"],)),
    "EmptyImage": image_nodes.make_empty,
    "PrimitiveInt": instant(lambda call: (call["value"],)),
    "PrimitiveStringMultiline": instant(lambda call: (call["value"],)),
    "SaveImage": image_nodes.save,
    "PreviewImage": image_nodes.save_temporary,
    "LoadImage": image_nodes.load,
    "ImageScale": image_nodes.scale,
    "ImageInvert": image_nodes.invert,
}
