"""The memory of the simulated box: which models are loaded, and the figures of `/system_stats`."""

from dataclasses import dataclass, field
from typing import Any

from comfytui.sim.config import Device

MIB = 1024**2
GIB = 1024**3
CARD_BASE = 612 * MIB
"""What the driver and the desktop hold."""
RAM_BASE = 9 * GIB
MODEL_SHARE = 0.9
"""The part of a memory that models may fill."""
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

    @property
    def total(self) -> float:
        """Everything together, in MiB."""
        return self.text.mib + self.diffusion.mib + self.vae.mib


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
    """What the files that were read hold of the RAM, and the loaded parts of the card; sizes in bytes."""

    device: Device
    card: str
    card_total: int
    ram_total: int
    read: dict[str, int] = field(default_factory=dict)
    """RAM by file, oldest first."""
    loaded: dict[str, int] = field(default_factory=dict)
    """The card's memory by part (`file/part`), oldest first; a CPU has them in the RAM."""
    active: int = 0
    """The running node's activations."""

    def load(self, key: str, mib: float) -> bool:
        """Make room for a part, pushing out the oldest when it is full; False when it is there already."""
        if key in self.loaded:
            self.loaded[key] = self.loaded.pop(key)
            return False
        _make_room(self.loaded, int(mib * MIB), self._models_total * MODEL_SHARE)
        self.loaded[key] = 0
        return True

    def grow(self, key: str, mib: float, share: float) -> None:
        """Hold a share of a part; nothing if it was unloaded meanwhile."""
        if key in self.loaded:
            self.loaded[key] = int(mib * MIB * share)

    def read_file(self, file_name: str, mib: float) -> None:
        """Begin to read a file: whatever of it was in memory goes."""
        self.loaded = {key: size for key, size in self.loaded.items() if not key.startswith(f"{file_name}/")}
        self.read.pop(file_name, None)
        _make_room(self.read, int(mib * MIB), (self.ram_total - RAM_BASE) * MODEL_SHARE)
        self.read[file_name] = 0

    def grow_file(self, file_name: str, mib: float, share: float) -> None:
        """Hold a share of a file; nothing if it was unloaded meanwhile."""
        if file_name in self.read:
            self.read[file_name] = int(mib * MIB * share)

    def unload(self) -> None:
        """Drop every model."""
        self.loaded.clear()
        self.read.clear()

    def sampling(self, pixels: int) -> None:
        """Hold the activations for so many pixels; 0 gives them back."""
        self.active = pixels * BYTES_PER_PIXEL

    def stats(self) -> tuple[int, int, dict[str, Any]]:
        """Return RAM total and free in bytes, and the device's entry of `/system_stats`."""
        held, read = sum(self.loaded.values()), sum(self.read.values())
        if self.device == "cpu":
            free = max(0, self.ram_total - RAM_BASE - max(held, read) - self.active)
            figures = {
                "vram_total": self.ram_total,
                "vram_free": free,
                "torch_vram_total": self.ram_total,
                "torch_vram_free": free,
            }
            return self.ram_total, free, {"name": "cpu", "type": "cpu", "index": None, **figures}
        reserved = held + self.active
        figures = {
            "vram_total": self.card_total,
            "vram_free": max(0, self.card_total - CARD_BASE - reserved),
            "torch_vram_total": reserved,
            "torch_vram_free": min(reserved, reserved // 50),
        }
        device = {"name": f"cuda:0 {self.card} : cudaMallocAsync", "type": "cuda", "index": 0, **figures}
        return self.ram_total, max(0, self.ram_total - RAM_BASE - read), device

    @property
    def _models_total(self) -> int:
        return self.ram_total - RAM_BASE if self.device == "cpu" else self.card_total


def _make_room(held: dict[str, int], size: int, limit: float) -> None:
    while held and sum(held.values()) + size > limit:
        del held[next(iter(held))]
