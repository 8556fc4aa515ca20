"""Functions of the sampler nodes: steps, previews, progress bar, and simulated out-of-memory errors."""

import asyncio
from dataclasses import replace

from comfytui.sim.execution.call import NodeCall, NodeResult
from comfytui.sim.execution.runtime_values import Guider, Images, Latent, Model, Noise, Sigmas
from comfytui.sim.logs import TqdmBar
from comfytui.sim.machine import NodeFailedError
from comfytui.sim.memory import sizes_of
from comfytui.sim.painting import paint, preview
from comfytui.sim.painting.scene import Scene

LOAD_SHARE = 0.2
"""Share of the load time for the diffusion model."""
LATENT_SCALE = 8
"""Image pixels per latent pixel, along an edge."""
OUT_OF_MEMORY = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.65 GiB of which 1.07 GiB is free."
)
TIPS = (
    "This error means you ran out of memory on your GPU.\n\nTIPS: If the workflow worked before you might have "
    "accidentally set the batch_size to a large number."
)


async def ksampler(call: NodeCall) -> NodeResult:
    """Sample like KSampler; a denoise of 0 returns the latent unchanged."""
    steps = call["steps"] if call["denoise"] > 0 else 0
    scene = Scene(call["positive"].text, call["seed"])
    latent = replace(call["latent_image"], denoise=call["denoise"])
    return await _sample(call, call["model"], scene, latent, steps)


async def ksampler_advanced(call: NodeCall) -> NodeResult:
    """Sample a range of the steps, like KSamplerAdvanced."""
    steps = max(0, min(call["end_at_step"], call["steps"]) - call["start_at_step"])
    latent: Latent = call["latent_image"]
    scene = Scene(call["positive"].text, call["noise_seed"])
    if call["add_noise"] == "disable" and latent.scene is not None:
        scene = latent.scene
    return await _sample(call, call["model"], scene, latent, steps)


async def sampler_custom_advanced(call: NodeCall) -> NodeResult:
    """Sample with noise, guider and sigmas from separate nodes."""
    noise: Noise = call["noise"]
    guider: Guider = call["guider"]
    sigmas: Sigmas = call["sigmas"]
    scene = Scene(guider.positive.text, noise.seed)
    result = await _sample(call, guider.model, scene, call["latent_image"], sigmas.steps)
    return NodeResult((*result.values, *result.values))


async def _sample(call: NodeCall, model: Model, scene: Scene, latent: Latent, steps: int) -> NodeResult:
    machine = call.machine
    await machine.load_part(model.file, sizes_of(model.file, machine.config.device).diffusion, LOAD_SHARE)
    if steps == 0:
        return NodeResult((latent,))
    prompt_id = call.progress.prompt_id
    machine.memory.hold_activations(prompt_id, latent.width * latent.height * latent.batch)
    bar = TqdmBar(machine.logs, steps)
    bar.show()
    try:
        for step in range(1, steps + 1):
            await machine.clock.step(machine.config.step_seconds * latent.batch)
            await _report_step(call, scene, latent, step, steps)
            if machine.should_fail(step):
                raise NodeFailedError("torch.OutOfMemoryError", OUT_OF_MEMORY, TIPS)
            bar.step()
    finally:
        bar.close()
        machine.memory.hold_activations(prompt_id, 0)
    return NodeResult((replace(latent, scene=scene),))


async def _report_step(call: NodeCall, scene: Scene, latent: Latent, step: int, steps: int) -> None:
    image = None
    if call.preview_method != "none":
        shrink = 1 if call.preview_method == "taesd" else LATENT_SCALE
        size = (max(1, latent.width // shrink), max(1, latent.height // shrink))
        image = await asyncio.to_thread(preview, scene, size, step / steps)
    call.report_step(step, steps, image)


async def lab_sampler(call: NodeCall) -> NodeResult:
    """Behave like the test node of the recordings: sleep, report, and fail at `fail_at`."""
    scene = Scene(call["text"], call["seed"])
    size = (call["width"], call["height"])
    for step in range(1, call["steps"] + 1):
        await call.machine.clock.step(call["delay_ms"] / 1000)
        image = await asyncio.to_thread(preview, scene, size, step / call["steps"]) if call["preview"] else None
        call.report_step(step, call["steps"], image)
        if step == call["fail_at"]:
            raise NodeFailedError("RuntimeError", "CUDA out of memory. Tried to allocate 2.00 GiB (lab)")
    scenes = [replace(scene, index=index) for index in range(call["batch_size"])]
    return NodeResult((Images(tuple([await asyncio.to_thread(paint, each, size) for each in scenes])),))
