"""Maps class names of nodes to the phases of a run, and knows which nodes sample.

A phase is given only for known classes: ComfyUI's own, and those that are named after them. What another class does is
unknown until it reports it, whatever its name suggests.
"""

import re
from collections.abc import Mapping

from comfytui.session.model import Phase

NODE_WEIGHT = 1.0
"""Weight of a node that does not sample; a sampler weighs one for each of its steps."""
DEFAULT_STEPS = 20
"""Steps assumed of a sampler that has not reported how many it takes."""

# The weight of a node is only a guess of how long it takes, so here a name is enough.
# `KSamplerSelect` and `SamplerEulerAncestral` only choose an algorithm, `SamplerCustomAdvanced` runs one.
_SAMPLER = re.compile(r"KSampler(?!Select)|SamplerCustom|Sampler\b")

_PHASES: Mapping[Phase, re.Pattern[str]] = {
    Phase.SAMPLING: re.compile(r"KSampler(?!Select)|^SamplerCustom"),
    Phase.LOADING: re.compile(
        r"(Checkpoint|U[Nn][Ee][Tt]|CLIP|CLIPVision|VAE|L[Oo][Rr][Aa]|ControlNet|StyleModel|UpscaleModel|GLIGEN"
        r"|DiffusionModel|Diffusers|Hypernetwork|PhotoMaker)Loader"
    ),
    Phase.ENCODING: re.compile(r"TextEncode"),
    Phase.DECODING: re.compile(r"VAEDecode"),
    Phase.UPSCALING: re.compile(r"Upscale"),
    Phase.SAVING: re.compile(r"^(Save|Preview)"),
}


def is_sampler(class_type: str) -> bool:
    """Return whether nodes of this class run a sampler."""
    return bool(_SAMPLER.search(class_type))


def phase_of(class_type: str) -> Phase:
    """Return the phase of nodes of this class; WORKING if it is unknown."""
    for phase, names in _PHASES.items():
        if names.search(class_type):
            return phase
    return Phase.WORKING
