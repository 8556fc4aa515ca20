"""The samplers: steps, previews, the terminal's bar, and running out of memory on purpose."""

import asyncio
from dataclasses import replace

from comfytui.sim.execution.call import Call, Result
from comfytui.sim.execution.runtime_values import Guider, Images, Latent, Model, Noise, Sigmas
from comfytui.sim.logs import Bar
from comfytui.sim.machine import NodeFailedError
from comfytui.sim.memory import sizes_of
from comfytui.sim.painting import paint, preview
from comfytui.sim.painting.scene import Scene

LOAD_SHARE = 0.2
"""Part of the load time that brings the diffusion model into memory."""
LATENT_SCALE = 8
"""Pixels of the picture by one of the latent."""
OUT_OF_MEMORY = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.65 GiB of which 1.07 GiB is free."
)
TIPS = (
    "This error means you ran out of memory on your GPU.\n\nTIPS: If the workflow worked before you might have "
    "accidentally set the batch_size to a large number."
)


async def ksampler(call: Call) -> Result:
    """Sample as KSampler does; a denoise of 0 leaves the latent as it is."""
    steps = call["steps"] if call["denoise"] > 0 else 0
    scene = Scene(call["positive"].text, call["seed"])
    return await _sample(call, call["model"], scene, call["latent_image"], steps)


async def ksampler_advanced(call: Call) -> Result:
    """Sample a part of the steps, as KSamplerAdvanced does."""
    steps = max(0, min(call["end_at_step"], call["steps"]) - call["start_at_step"])
    latent: Latent = call["latent_image"]
    scene = Scene(call["positive"].text, call["noise_seed"])
    if call["add_noise"] == "disable" and latent.scene is not None:
        scene = latent.scene
    return await _sample(call, call["model"], scene, latent, steps)


async def sampler_custom_advanced(call: Call) -> Result:
    """Sample with noise, guider and sigmas from nodes of their own."""
    noise: Noise = call["noise"]
    guider: Guider = call["guider"]
    sigmas: Sigmas = call["sigmas"]
    scene = Scene(guider.positive.text, noise.seed)
    result = await _sample(call, guider.model, scene, call["latent_image"], sigmas.steps)
    return Result((*result.values, *result.values))


async def _sample(call: Call, model: Model, scene: Scene, latent: Latent, steps: int) -> Result:
    box = call.box
    await box.bring(model.file, sizes_of(model.file, box.config.device).diffusion, LOAD_SHARE)
    if steps == 0:
        return Result((latent,))
    box.memory.sampling(latent.width * latent.height * latent.batch)
    bar = Bar(box.logs, steps)
    bar.show()
    try:
        for step in range(1, steps + 1):
            await box.pace.step(box.config.step_seconds * latent.batch)
            await _report(call, scene, latent, step, steps)
            if box.should_fail(step):
                raise NodeFailedError("torch.OutOfMemoryError", OUT_OF_MEMORY, TIPS)
            bar.step()
    finally:
        bar.close()
        box.memory.sampling(0)
    return Result((replace(latent, scene=scene),))


async def _report(call: Call, scene: Scene, latent: Latent, step: int, steps: int) -> None:
    image = None
    if call.preview_method != "none":
        shrink = 1 if call.preview_method == "taesd" else LATENT_SCALE
        size = (max(1, latent.width // shrink), max(1, latent.height // shrink))
        image = await asyncio.to_thread(preview, scene, size, step / steps)
    call.report(step, steps, image)


async def lab_sampler(call: Call) -> Result:
    """Do what the recordings' test node does: sleep, report, and raise at `fail_at`."""
    scene = Scene(call["text"], call["seed"])
    size = (call["width"], call["height"])
    for step in range(1, call["steps"] + 1):
        await call.box.pace.step(call["delay_ms"] / 1000)
        image = await asyncio.to_thread(preview, scene, size, step / call["steps"]) if call["preview"] else None
        call.report(step, call["steps"], image)
        if step == call["fail_at"]:
            raise NodeFailedError("RuntimeError", "CUDA out of memory. Tried to allocate 2.00 GiB (lab)")
    scenes = [replace(scene, index=index) for index in range(call["batch_size"])]
    return Result((Images(tuple([await asyncio.to_thread(paint, each, size) for each in scenes])),))
