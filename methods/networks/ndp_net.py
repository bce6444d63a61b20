"""NDP-Net as a whole and what its two phases of training minimise (Sec. III-A and III-E)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from pybench.training.batches import Batch
from pybench.training.synthesis import perlin_paste
from pybench.training.textures import Textures

from .ndp_net_attention import ReferenceAttention, feature_repair_loss
from .ndp_net_autoencoder import Decoder, Encoder, defect_perception_loss, layer_channels
from .ndp_net_perceptual import PerceptualLoss
from .ndp_net_segmentation import SCALES, DefectSegmentation, segmentation_loss

DEEP = slice(2, 5)  # layers 3 to 5: what the attention repairs and the decoder sees
_KEPT_BYTES = 2**30  # of deep features of normal images
_RECONSTRUCTION_WEIGHT = 100  # in Eq. 14 and 17; the other terms have weight 1


class NdpNetwork(nn.Module):
    """Encoder, decoder and, where they are asked for, reference attention and segmentation module (Fig. 1).

    The attention's compression to 64 channels goes with the width, so that a narrower network is narrower throughout.
    """

    reference: list[Tensor]  # features [C_l, H_l, W_l] of the reference image
    _frozen: tuple[Encoder, ...]  # no module of its own: it adds nothing to the state

    def __init__(self, width: int, *, attention: bool, segmentation: bool) -> None:
        super().__init__()
        self.encoder = Encoder(width)
        self.decoder = Decoder(width)
        self.attention = ReferenceAttention(layer_channels(width)[DEEP], width) if attention else None
        self.segmentation = DefectSegmentation(width) if segmentation else None
        self.reference = []
        self._frozen = ()

    def parts(self, *names: str) -> nn.ModuleDict:
        """Those of the named modules that this network has."""
        found = {name: getattr(self, name) for name in names}
        return nn.ModuleDict({name: module for name, module in found.items() if module is not None})

    @torch.no_grad()
    def refer_to(self, image: Tensor) -> None:
        """Take an image [3, S, S] as the reference; the encoder must have its final weights, which are frozen."""
        self._frozen = (self.encoder.frozen(),)
        self.reference = [layer[0] for layer in self.features(image[None])[DEEP]]

    def features(self, images: Tensor, depth: int = len(layer_channels(1))) -> list[Tensor]:
        """What the encoder makes of images [B, 3, S, S], once there is a reference the frozen one; see ``Encoder``."""
        encoder = self._frozen[0] if self._frozen else self.encoder
        found: list[Tensor] = encoder(images, depth)
        return found

    def repair(self, features: Sequence[Tensor]) -> Sequence[Tensor]:
        """The deep ones of all layers' features, repaired by the reference; as they are where there is no attention."""
        deep = features[DEEP]
        return deep if self.attention is None else self.attention(deep, self.reference)

    def shallow(self, images: Tensor) -> list[Tensor]:
        """The features that are compared between an image and its reconstruction: layers 1 to 3."""
        return self.features(images, depth=SCALES)


@dataclass
class NormalFeatures:
    """Deep features of the training images, which are as constant as the frozen encoder: no augmentation changes them.

    The encoder takes each image by itself, so that what is kept does not depend on the step that asks first; on a CPU
    that takes no longer. On a GPU, where it does, nothing is kept.
    """

    network: NdpNetwork
    kept: dict[int, list[Tensor]] = field(default_factory=dict)  # by the image's place

    def of(self, batch: Batch) -> Sequence[Tensor]:
        """Feature maps [B, C_l, H_l, W_l] of layers 3 to 5 of a batch's images."""
        if batch.images.device.type != "cpu" or not batch.indices:
            return self.network.features(batch.images)[DEEP]
        pairs = zip(batch.indices, batch.images, strict=True)
        return [torch.cat(layer) for layer in zip(*(self._one(*pair) for pair in pairs), strict=True)]

    def _one(self, index: int, image: Tensor) -> list[Tensor]:
        found = self.kept.get(index) or self.network.features(image[None])[DEEP]
        if (len(self.kept) + 1) * sum(layer.nbytes for layer in found) <= _KEPT_BYTES:
            self.kept[index] = found
        return found


class Objective:
    """The losses of both phases of one fit. ``perceptual`` is None where that term is left out."""

    def __init__(
        self, network: NdpNetwork, textures: Textures, perceptual: PerceptualLoss | None, defect_perception: bool
    ) -> None:
        self.network, self.textures = network, textures
        self.perceptual, self.defect_perception = perceptual, defect_perception
        self.normal = NormalFeatures(network)

    def first_phase(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 14: normal images are reconstructed, and features should change where an image is damaged."""
        network, images = self.network, batch.images
        if not self.defect_perception:
            return self._likeness(images, network.decoder(network.encoder(images)[DEEP]))
        damaged, masks = perlin_paste(images, batch.random, self.textures)
        layers = [layer.chunk(2) for layer in network.encoder(torch.cat([images, damaged]))]
        normal, changed = [pair[0] for pair in layers], [pair[1] for pair in layers]
        perception = defect_perception_loss(normal, changed, masks)
        return {**self._likeness(images, network.decoder(normal[DEEP])), "defect_perception": perception}

    def second_phase(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 17: damaged images are reconstructed as they were before, and the damage is segmented."""
        network, images = self.network, batch.images
        damaged, masks = perlin_paste(images, batch.random, self.textures)
        features = network.features(damaged)
        repaired = network.repair(features)
        reconstructions = network.decoder(repaired)
        terms = self._likeness(images, reconstructions)
        if network.attention is not None:
            terms["feature_repair"] = feature_repair_loss(repaired, self.normal.of(batch))
        if network.segmentation is not None:
            logits = network.segmentation(features, network.shallow(reconstructions))
            terms["segmentation"] = segmentation_loss(logits, masks)
        return terms

    def _likeness(self, images: Tensor, reconstructions: Tensor) -> dict[str, Tensor]:
        """Eq. 12 and 13, or 15 and 16."""
        terms = {"reconstruction": _RECONSTRUCTION_WEIGHT * mse_loss(reconstructions, images)}
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual(images, reconstructions)
        return terms
