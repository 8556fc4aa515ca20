"""The values that nodes pass along the links of a graph."""

from dataclasses import dataclass, replace

from PIL import Image

from comfytui.sim.painting.scene import Scene


@dataclass(frozen=True, slots=True)
class Model:
    """A diffusion model, text encoder or VAE from a file."""

    file: str


@dataclass(frozen=True, slots=True)
class Conditioning:
    """An encoded text."""

    text: str


@dataclass(frozen=True, slots=True)
class Latent:
    """A batch of latents of `width` by `height` pixels."""

    width: int
    height: int
    batch: int = 1
    scene: Scene | None = None
    """What was sampled; None before."""
    image: Image.Image | None = None
    """The image that was encoded, if any."""
    denoise: float = 1.0
    """How much of that image was replaced by what was sampled, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Images:
    """A batch of images of one size."""

    frames: tuple[Image.Image, ...]


@dataclass(frozen=True, slots=True)
class Noise:
    """The seed of a modular sampler."""

    seed: int


@dataclass(frozen=True, slots=True)
class Guider:
    """A model and the conditioning that guides it."""

    model: Model
    positive: Conditioning


@dataclass(frozen=True, slots=True)
class Sigmas:
    """A noise schedule with a number of steps."""

    steps: int


@dataclass(frozen=True, slots=True)
class SamplerName:
    """The sampling algorithm of a modular sampler."""

    name: str


@dataclass(frozen=True, slots=True)
class ControlNet:
    """A ControlNet from a file."""

    file: str


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask; no simulated node reads it."""


Value = Model | Conditioning | Latent | Images | Noise | Guider | Sigmas | SamplerName | ControlNet | Mask | str | int


def resized(latent: Latent, width: int, height: int) -> Latent:
    """Return a latent in another size (pixels); an edge of 0 keeps the aspect ratio, two change nothing."""
    match width, height:
        case 0, 0:
            return latent
        case 0, _:
            width = max(64, round(latent.width * height / latent.height))
        case _, 0:
            height = max(64, round(latent.height * width / latent.width))
    return replace(latent, width=max(64, width), height=max(64, height))
