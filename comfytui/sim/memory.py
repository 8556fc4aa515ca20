"""RAM and VRAM of the simulated machine: the loaded models, and the figures in `/system_stats`."""

from dataclasses import dataclass, field
from typing import Any

from comfytui.sim.config import Device

MIB = 1024**2
GIB = 1024**3
VRAM_BASE = 612 * MIB
"""VRAM that the driver and the desktop use, in bytes."""
RAM_BASE = 9 * GIB
"""RAM that the operating system and the server use, in bytes."""
MODEL_SHARE = 0.9
"""Share of RAM or VRAM that models may fill."""
BYTES_PER_PIXEL = 900
"""Rough size of the activations per sampled pixel."""


@dataclass(frozen=True, slots=True)
class Part:
    """One separately loaded part of a model: the class name that is logged, and its size in MiB."""

    name: str
    mib: float


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """The parts of one model family."""

    text: Part
    diffusion: Part
    vae: Part

    @property
    def total(self) -> float:
        """Size of all parts, in MiB."""
        return self.text.mib + self.diffusion.mib + self.vae.mib


SD15 = ModelSizes(Part("SD1ClipModel", 235.84), Part("BaseModel", 1639.405), Part("AutoencoderKL", 159.555))
SDXL = ModelSizes(Part("SDXLClipModel", 1560.80), Part("SDXL", 4897.05), Part("AutoencoderKL", 159.555))
FLUX = ModelSizes(Part("FluxClipModel_", 4777.54), Part("Flux", 11350.07), Part("AutoencodingEngine", 159.87))


def sizes_of(file_name: str, device: Device) -> ModelSizes:
    """Return the sizes of the model family that a file name suggests.

    On a CPU all parts but the text encoder are float32, and so twice as large.
    """
    lower = file_name.lower()
    sizes = FLUX if "flux" in lower or lower.startswith(("ae.", "t5", "clip")) else SDXL if "xl" in lower else SD15
    if device == "cuda":
        return sizes
    in_float32 = [Part(part.name, part.mib * 2) for part in (sizes.diffusion, sizes.vae)]
    return ModelSizes(sizes.text, *in_float32)


@dataclass(slots=True)
class Memory:
    """Memory used by model files (in RAM) and by loaded model parts (on the device), in bytes."""

    device: Device
    card: str
    card_total: int
    ram_total: int
    files_in_ram: dict[str, int] = field(default_factory=dict)
    """RAM used per file, oldest first."""
    loaded_parts: dict[str, int] = field(default_factory=dict)
    """Device memory used per part (`file/part`), oldest first; on a CPU this is RAM."""
    activations: dict[str, int] = field(default_factory=dict)
    """Memory of the activations of each running prompt's node."""

    def load(self, key: str, mib: float) -> bool:
        """Make room for a part, evicting the oldest parts if needed.

        Returns:
            False if the part is loaded already.
        """
        if key in self.loaded_parts:
            self.loaded_parts[key] = self.loaded_parts.pop(key)
            return False
        _make_room(self.loaded_parts, int(mib * MIB), self._models_total * MODEL_SHARE)
        self.loaded_parts[key] = 0
        return True

    def grow(self, key: str, mib: float, share: float) -> None:
        """Set the loaded share (0..1) of a part; does nothing if the part was unloaded meanwhile."""
        if key in self.loaded_parts:
            self.loaded_parts[key] = int(mib * MIB * share)

    def read_file(self, file_name: str, mib: float) -> None:
        """Start reading a file, which drops all of it that was in memory."""
        self.loaded_parts = {
            key: size for key, size in self.loaded_parts.items() if not key.startswith(f"{file_name}/")
        }
        self.files_in_ram.pop(file_name, None)
        _make_room(self.files_in_ram, int(mib * MIB), (self.ram_total - RAM_BASE) * MODEL_SHARE)
        self.files_in_ram[file_name] = 0

    def grow_file(self, file_name: str, mib: float, share: float) -> None:
        """Set the share (0..1) of a file that is read; does nothing if the file was unloaded meanwhile."""
        if file_name in self.files_in_ram:
            self.files_in_ram[file_name] = int(mib * MIB * share)

    def unload(self) -> None:
        """Unload all models."""
        self.loaded_parts.clear()
        self.files_in_ram.clear()

    def hold_activations(self, prompt_id: str, pixels: int) -> None:
        """Allocate a prompt's activations for a number of pixels; 0 frees them."""
        if pixels:
            self.activations[prompt_id] = pixels * BYTES_PER_PIXEL
        else:
            self.activations.pop(prompt_id, None)

    def stats(self) -> tuple[int, int, dict[str, Any]]:
        """Return total RAM, free RAM (both in bytes), and the device entry of `/system_stats`."""
        held, read = sum(self.loaded_parts.values()), sum(self.files_in_ram.values())
        activations = sum(self.activations.values())
        if self.device == "cpu":
            free = max(0, self.ram_total - RAM_BASE - max(held, read) - activations)
            figures = {
                "vram_total": self.ram_total,
                "vram_free": free,
                "torch_vram_total": self.ram_total,
                "torch_vram_free": free,
            }
            return self.ram_total, free, {"name": "cpu", "type": "cpu", "index": None, **figures}
        reserved = held + activations
        figures = {
            "vram_total": self.card_total,
            "vram_free": max(0, self.card_total - VRAM_BASE - reserved),
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
