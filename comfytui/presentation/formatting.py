"""Format durations, rates, memory and generation parameters."""

from typing import TYPE_CHECKING

from comfytui.sanitize import sanitize
from comfytui.workflow.annotations import Cell
from comfytui.workflow.parameters import GenerationParameters

if TYPE_CHECKING:
    from comfytui.comfy.protocol.models import SystemStats

GIB = 2**30
GAUGE_CELLS = 8
SETTINGS_SEPARATOR = " · "
"""Separates the settings of a `parameters_line`."""
MAX_CELL = 200
"""Characters of the values that distinguish an image in its batch."""


def duration(seconds: float) -> str:
    """Return `0:03`, `12:40` or `1:02:33`: whole seconds, never negative."""
    total = max(0, int(seconds))
    hours, minutes = divmod(total // 60, 60)
    return f"{hours}:{minutes:02}:{total % 60:02}" if hours else f"{minutes}:{total % 60:02}"


def rough_duration(seconds: float) -> str:
    """Return `0:41`, `12:40` or `2h51`: an estimate of hours has no seconds."""
    hours, minutes = divmod(max(0, int(seconds)) // 60, 60)
    return f"{hours}h{minutes:02}" if hours else duration(seconds)


def time_left(estimate: tuple[float, float] | None) -> str:
    """Return `0:41 left`, or `0:30-0:50 left` while the estimate (least and most seconds) is wide; empty for None."""
    if estimate is None:
        return ""
    low, high = map(rough_duration, estimate)
    return f"{low} left" if low == high else f"{low}-{high} left"


def time_until_start(estimate: tuple[float, float] | None) -> str:
    """Return `starts in 3:10`; empty for None.

    Args:
        estimate: The least and the most seconds. A wide estimate reads `starts in 2:00-3:10`, or `starts within 0:05`
            if the start may be immediate.
    """
    if estimate is None:
        return ""
    low, high = map(rough_duration, estimate)
    if int(estimate[0]) <= 0 and low != high:
        return f"starts within {high}"
    return f"starts in {low}" if low == high else f"starts in {low}-{high}"


def rate(steps_per_second: float | None) -> str:
    """Return `3.1 it/s`, or `2.4 s/it` on a slow server; empty for an unknown rate."""
    if not steps_per_second or steps_per_second <= 0:
        return ""
    if steps_per_second >= 1:
        return f"{steps_per_second:.1f} it/s"
    return f"{1 / steps_per_second:.1f} s/it"


def gauge(fraction: float, *, ascii_only: bool = False) -> str:
    """Return a bar of `GAUGE_CELLS` cells filled to `fraction` (0 to 1)."""
    full, empty = ("#", ".") if ascii_only else ("▇", "▁")
    cells = round(min(1.0, max(0.0, fraction)) * GAUGE_CELLS)
    return full * cells + empty * (GAUGE_CELLS - cells)


def memory_use(used: int, total: int) -> str:
    """Return `17.2/24 GB` for two numbers of bytes.

    The value moves in steps of one percent of the total, so that noise does not repaint it.
    """
    if total <= 0:
        return "?"
    stepped = round(used / total * 100) / 100 * total
    return f"{stepped / GIB:.1f}/{total / GIB:.0f} GB"


def server_memory(stats: "SystemStats | None", *, ascii_only: bool = False, wide: bool = True) -> str:
    """Return the server's memory: `VRAM ▇▇▇▇▇▇▁▁ 17.2/24 GB   RAM 31.0/64 GB`.

    Args:
        stats: The server's statistics; None gives an empty text.
        ascii_only: Draw the gauge in ASCII.
        wide: Show the gauge and the RAM too. Without an accelerator only the RAM is shown, wide or not.
    """
    if stats is None:
        return ""
    parts = []
    vram = [
        (device.vram_total - device.vram_free, device.vram_total) for device in stats.devices if device.type != "cpu"
    ]
    if vram:
        used, total = (sum(column) for column in zip(*vram, strict=True))
        bar = gauge(used / total if total else 0, ascii_only=ascii_only) + " " if wide else ""
        parts.append(f"VRAM {bar}{memory_use(used, total)}")
    if wide or not vram:
        parts.append(f"RAM {memory_use(stats.ram_total - stats.ram_free, stats.ram_total)}")
    return "   ".join(parts)


def parameters_line(parameters: GenerationParameters) -> str:
    """Return `seed 88213 · 1024x1024 · 4 images · 20 steps · euler/normal · cfg 7 · sd_xl`, less what is not set."""
    parts = [
        _seeds(parameters),
        f"{parameters.width}x{parameters.height}" if parameters.width and parameters.height else "",
        f"{parameters.latent_batch} images" if parameters.latent_batch > 1 else "",
        f"{parameters.steps} steps" if parameters.steps is not None else "",
        "/".join(sanitize(name, 40) for name in (parameters.sampler, parameters.scheduler) if name),
        f"cfg {parameters.cfg:g}" if parameters.cfg is not None else "",
        f"guidance {parameters.guidance:g}" if parameters.guidance is not None else "",
        sanitize(parameters.model or "", 60).removesuffix(".safetensors"),
    ]
    return SETTINGS_SEPARATOR.join(part for part in parts if part)


def cell_text(cell: Cell) -> str:
    """Return the values that distinguish an image in its batch: `Steps 20, CFG 7`; empty if it is in no grid."""
    return sanitize(", ".join(f"{label} {str(value).removesuffix('.safetensors')}" for label, value in cell), MAX_CELL)


def _seeds(parameters: GenerationParameters) -> str:
    """Return `seed 88213`, or `seeds 88213, 4711` for a graph with several."""
    seeds = [seed for seed in (parameters.seed, *parameters.more_seeds) if seed is not None]
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}" if seeds else ""
