"""What flows along the links of a graph."""

from dataclasses import dataclass, replace

from PIL import Image

from comfytui.sim.painting.scene import Scene


@dataclass(frozen=True, slots=True)
class Model:
    """A model, a text encoder or a VAE that came from a file."""

    file: str


@dataclass(frozen=True, slots=True)
class Conditioning:
    """An encoded text."""

    text: str


@dataclass(frozen=True, slots=True)
class Latent:
    """A batch of latents of `width` by `height` pixels; `scene` is None while they are empty."""

    width: int
    height: int
    batch: int = 1
    scene: Scene | None = None


@dataclass(frozen=True, slots=True)
class Images:
    """A batch of pictures of one size."""

    frames: tuple[Image.Image, ...]


@dataclass(frozen=True, slots=True)
class Noise:
    """The seed of a modular sampler."""

    seed: int


@dataclass(frozen=True, slots=True)
class Guider:
    """A model with the text that guides it."""

    model: Model
    positive: Conditioning


@dataclass(frozen=True, slots=True)
class Sigmas:
    """A noise schedule of so many steps."""

    steps: int


@dataclass(frozen=True, slots=True)
class SamplerName:
    """The algorithm of a modular sampler."""

    name: str


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask; nothing here looks into it."""


Value = Model | Conditioning | Latent | Images | Noise | Guider | Sigmas | SamplerName | Mask


def scaled(latent: Latent, width: int, height: int) -> Latent:
    """Return a latent in another size; 0 keeps the proportion of the other edge, both 0 change nothing."""
    match width, height:
        case 0, 0:
            return latent
        case 0, _:
            width = max(64, round(latent.width * height / latent.height))
        case _, 0:
            height = max(64, round(latent.height * width / latent.width))
    return replace(latent, width=max(64, width), height=max(64, height))
