"""The knobs of the simulated server."""

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
    """What the simulated box has and how fast it is; the defaults are a lively 24 GB machine."""

    steps_per_second: float = 4.0
    """Sampling speed of one image; 0 samples as fast as possible."""
    load_seconds: float = 2.0
    """Time to bring a checkpoint from disk to the first step."""
    fail_step: int | None = None
    """The step after which a sampler runs out of memory, None for never."""
    fail_times: int | None = None
    """How many samplers fail at `fail_step`, None for all of them."""
    foreign_clients: int = 0
    """How many other users queue jobs of their own, one at a time."""
    foreign_pause: tuple[float, float] = (15.0, 45.0)
    """Shortest and longest time between two jobs of a foreign user, in seconds."""
    checkpoints: tuple[str, ...] = DEFAULT_CHECKPOINTS
    diffusion_models: tuple[str, ...] = ("flux1-dev.safetensors", "flux1-schnell.safetensors")
    text_encoders: tuple[str, ...] = ("clip_l.safetensors", "t5xxl_fp8_e4m3fn.safetensors")
    vae: tuple[str, ...] = ("ae.safetensors", "sdxl_vae.safetensors")
    loras: tuple[str, ...] = ("detail_tweaker_xl.safetensors", "pixel-art-xl.safetensors")
    preview_method: str = "none"
    """The server's own default, used by prompts that do not ask for one."""
    preview_size: int = 512
    """The longest edge of a preview, in pixels."""
    device: Device = "cuda"
    card: str = "NVIDIA GeForce RTX 4090"
    vram_gib: int = 24
    ram_gib: int = 64
    arguments: tuple[str, ...] = ()
    """More of the command line that the server was started with."""
    like: str = "0.33.0"
    """The version of ComfyUI that it is: it can do no more than that one, and it tells this version."""
    seed: int = 0
    """Seed of everything that the server itself invents (names of temporary files, foreign prompts)."""

    @property
    def capabilities(self) -> Capabilities:
        """What a server of this version can do."""
        return capabilities_of(self.like)

    @property
    def step_seconds(self) -> float:
        """Seconds that one sampling step takes."""
        return 1 / self.steps_per_second if self.steps_per_second > 0 else 0.0

    def preview_for(self, asked: object) -> str:
        """Return the preview method for a prompt that asked for `asked` in its extra data."""
        heeded = self.capabilities.asked_previews and isinstance(asked, str) and asked in PREVIEW_METHODS
        return str(asked) if heeded else self.preview_method
