"""Settings of the simulated server."""

from dataclasses import dataclass
from typing import Literal

from comfytui.sim.capabilities import Capabilities, capabilities_of

Device = Literal["cuda", "cpu"]

PREVIEW_METHODS = ("none", "auto", "latent2rgb", "taesd")
DEFAULT_CHECKPOINTS = (
    "dreamshaper_8.safetensors",
    "juggernautXL_v9.safetensors",
    "sd_xl_base_1.0.safetensors",
    "v1-5-pruned-emaonly.safetensors",
)


@dataclass(frozen=True, slots=True)
class SimConfig:
    """Hardware, speed, models and version of the simulated server; the default is a fast 24 GB machine."""

    steps_per_second: float = 4.0
    """Sampling steps per second of one image; 0 samples as fast as possible."""
    load_seconds: float = 2.0
    """Time from reading a checkpoint to the first step."""
    fail_step: int | None = None
    """Step after which a sampler runs out of memory; None for never."""
    fail_times: int | None = None
    """How many samplers fail at `fail_step`; None for all of them."""
    workers: int = 1
    """How many prompts of the queue run at once."""
    other_clients: int = 0
    """Number of other clients; each queues its own jobs, one at a time."""
    other_client_pause: tuple[float, float] = (15.0, 45.0)
    """Shortest and longest pause between two jobs of another client, in seconds."""
    checkpoints: tuple[str, ...] = DEFAULT_CHECKPOINTS
    diffusion_models: tuple[str, ...] = ("flux1-dev.safetensors", "flux1-schnell.safetensors")
    text_encoders: tuple[str, ...] = ("clip_l.safetensors", "t5xxl_fp8_e4m3fn.safetensors")
    vae: tuple[str, ...] = ("ae.safetensors", "sdxl_vae.safetensors")
    loras: tuple[str, ...] = (
        "detail_tweaker_xl.safetensors",
        "pixel-art-xl.safetensors",
        "styles/watercolour_xl.safetensors",
    )
    controlnets: tuple[str, ...] = ("control-lora-canny-rank256.safetensors",)
    embeddings: tuple[str, ...] = ("easynegative.safetensors", "negativeXL_D.safetensors")
    has_workflows: bool = True
    """Whether there are templates and saved workflows to try."""
    preview_method: str = "none"
    """The server's default, for prompts that do not choose one."""
    preview_size: int = 512
    """Longest edge of a preview, in pixels."""
    device: Device = "cuda"
    card: str = "NVIDIA GeForce RTX 4090"
    vram_gib: int = 24
    ram_gib: int = 64
    arguments: tuple[str, ...] = ()
    """Additional command line arguments that the server reports."""
    like: str = "0.33.0"
    """The ComfyUI version to simulate: the server reports it and has only its capabilities."""
    seed: int = 0
    """Seed of what the server itself generates (names of temporary files, prompts of other clients)."""

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of this version."""
        return capabilities_of(self.like)

    @property
    def step_seconds(self) -> float:
        """Seconds per sampling step."""
        return 1 / self.steps_per_second if self.steps_per_second > 0 else 0.0

    def preview_for(self, requested: object) -> str:
        """Return the preview method to use for a prompt; `requested` is the one in its extra data."""
        if self.capabilities.previews_by_prompt and isinstance(requested, str) and requested in PREVIEW_METHODS:
            return requested
        return self.preview_method
