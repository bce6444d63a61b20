"""Perceptual loss of NDP-Net (Eq. 13 and 16): L1 distance in the first layers of a pre-trained VGG-16."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torchvision.models import VGG16_Weights

from pybench.types import InputError

_WEIGHTS = VGG16_Weights.IMAGENET1K_V1


class PerceptualLoss(nn.Module):
    """Mean over VGG-16's first five ReLU outputs of the mean absolute difference; its weights are not trained.

    Raises:
        InputError: the weights are neither on this machine nor can be downloaded.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.vgg = _first_layers()
        _load_imagenet(self.vgg)
        self.requires_grad_(False)
        preset = _WEIGHTS.transforms()
        self.register_buffer("mean", torch.tensor(preset.mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(preset.std).view(1, 3, 1, 1))

    def forward(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        """Distance of images [B, 3, S, S] in [0, 1], which are normalised as VGG-16 was trained."""
        terms = [l1_loss(*pair) for pair in zip(self._outputs(images), self._outputs(reconstructions), strict=True)]
        return torch.stack(terms).mean()

    def _outputs(self, images: Tensor) -> list[Tensor]:
        hidden = (images - self.mean) / self.deviation
        outputs = []
        for layer in self.vgg:
            hidden = layer(hidden)
            if isinstance(layer, nn.ReLU):
                outputs.append(hidden)
        return outputs


def _first_layers() -> nn.Sequential:
    """VGG-16 up to its fifth ReLU, numbered as torchvision numbers its ``features``."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(128, 128, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(128, 256, 3, padding=1),
        nn.ReLU(),
    )


def _load_imagenet(network: nn.Sequential) -> None:
    try:
        state = _WEIGHTS.get_state_dict(check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"perceptual: the ImageNet weights of VGG-16 are not in {torch.hub.get_dir()}/checkpoints and cannot be "
            f"downloaded ({error}). Copy {_WEIGHTS.url.rpartition('/')[2]} there from a machine with internet, or "
            "leave the perceptual term out (`--set params.perceptual=none`)."
        ) from error
    network.load_state_dict({name: state[f"features.{name}"] for name in network.state_dict()})
