"""The memory of the simulated box: which models are loaded, and the figures of `/system_stats`."""

from dataclasses import dataclass, field
from typing import Any

from comfytui.sim.config import Device

MIB = 1024**2
GIB = 1024**3
RAM_TOTAL = 64 * GIB
CARD_TOTAL = 24 * GIB
CARD_BASE = 612 * MIB
"""What the driver and the desktop hold."""
RAM_BASE = 9 * GIB
BYTES_PER_PIXEL = 900
"""Activations of one sampled pixel, roughly."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a model as it is loaded: the class named in the log, and its size in MiB."""

    name: str
    mib: float


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """The parts of a model family."""

    text: Part
    diffusion: Part
    vae: Part


SD15 = ModelSizes(Part("SD1ClipModel", 235.84), Part("BaseModel", 1639.405), Part("AutoencoderKL", 159.555))
SDXL = ModelSizes(Part("SDXLClipModel", 1560.80), Part("SDXL", 4897.05), Part("AutoencoderKL", 159.555))
FLUX = ModelSizes(Part("FluxClipModel_", 4777.54), Part("Flux", 11350.07), Part("AutoencodingEngine", 159.87))


def sizes_of(file_name: str, device: Device) -> ModelSizes:
    """Guess a model family by its file name; on a CPU everything but the text model is held in float32."""
    lower = file_name.lower()
    sizes = FLUX if "flux" in lower or lower.startswith(("ae.", "t5", "clip")) else SDXL if "xl" in lower else SD15
    if device == "cuda":
        return sizes
    in_float32 = [Part(part.name, part.mib * 2) for part in (sizes.diffusion, sizes.vae)]
    return ModelSizes(sizes.text, *in_float32)


@dataclass(slots=True)
class Memory:
    """Loaded model parts by key, oldest first, and what the running sampler needs on top."""

    device: Device
    loaded: dict[str, int] = field(default_factory=dict)
    """Bytes by key."""
    active: int = 0
    """Bytes of the running node's activations."""

    def load(self, key: str, mib: float) -> bool:
        """Bring a part into memory, pushing out the oldest when it is full; False when it was there already."""
        if key in self.loaded:
            self.loaded[key] = self.loaded.pop(key)
            return False
        size = int(mib * MIB)
        while self.loaded and sum(self.loaded.values()) + size > CARD_TOTAL * 0.9:
            del self.loaded[next(iter(self.loaded))]
        self.loaded[key] = size
        return True

    def forget(self, file_name: str) -> None:
        """Drop the parts of one file, which is about to be read again."""
        self.loaded = {key: size for key, size in self.loaded.items() if not key.startswith(f"{file_name}/")}

    def unload(self) -> None:
        """Drop every model."""
        self.loaded.clear()

    def sampling(self, pixels: int) -> None:
        """Hold the activations for so many pixels; 0 gives them back."""
        self.active = pixels * BYTES_PER_PIXEL

    def stats(self) -> tuple[int, int, dict[str, Any]]:
        """Return RAM total and free in bytes, and the device's entry of `/system_stats`."""
        held = sum(self.loaded.values())
        if self.device == "cpu":
            free = RAM_TOTAL - RAM_BASE - held - self.active
            figures = {
                "vram_total": RAM_TOTAL,
                "vram_free": free,
                "torch_vram_total": RAM_TOTAL,
                "torch_vram_free": free,
            }
            return RAM_TOTAL, free, {"name": "cpu", "type": "cpu", "index": None, **figures}
        reserved = held + self.active
        figures = {
            "vram_total": CARD_TOTAL,
            "vram_free": max(0, CARD_TOTAL - CARD_BASE - reserved),
            "torch_vram_total": reserved,
            "torch_vram_free": min(reserved, reserved // 50),
        }
        name = "cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync"
        return RAM_TOTAL, RAM_TOTAL - RAM_BASE - held // 2, {"name": name, "type": "cuda", "index": 0, **figures}
