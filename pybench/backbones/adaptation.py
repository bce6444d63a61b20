"""How the backbone ``adapted`` learns from a category's normal images: by matching synthetic anomalies against them.

A place is scored as the methods that use the features score it: by its distance to the nearest place of other, normal
images. In every step a third of the images are such references, without a gradient, and are kept for a few steps; the
others get synthetic anomalies. The distance, through a logistic curve for every layer, is trained to tell anomalous
places from the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d
from torch.nn.functional import binary_cross_entropy_with_logits as _entropy
from torch.optim import AdamW

from pybench.backbones.adapted_network import AdaptedNetwork
from pybench.backbones.filter_bank import FilterBank
from pybench.disk import atomic_files
from pybench.ops.layout import in_channels_last
from pybench.training.batches import Batch, Batches
from pybench.training.budget import Budget, TrainingParams
from pybench.training.learning_rate import find_rate
from pybench.training.loop import Training, train
from pybench.training.textures import Textures
from pybench.training.varied_defects import varied_defects
from pybench.types import Context

_BATCH = 12  # images a step
_REFERENCES = 3  # every third image of a batch
_STEPS_KEPT = 4  # that references stay
_REFERENCE_PLACES = 1024  # of a step's references, per layer
_PLACES = 1024  # of a step's images with anomalies, per layer: at most so many anomalous and so many normal ones
_POOLED = 3  # places are means over squares of that side, as PatchCore's are
_SMALLEST = 1e-4  # added to distances before their logarithm
_WEIGHT_DECAY = 1e-4
_WARM_UP = 0.02  # share of the budget
_LIGHT = 0.15, 0.05  # largest change of gain and brightness


def adapt(
    network: AdaptedNetwork, bank: FilterBank, images: Tensor, *, budget: Budget, context: Context
) -> tuple[Training, float]:
    """Train the network on normal images, uint8 [N, 3, S, S]; goes on from the context's checkpoint.

    Returns:
        What was done, and the learning rate that was found.
    """
    size = images.shape[-1]
    params = TrainingParams(image_size=size, batch_size=max(2, min(_BATCH, len(images))))
    prepare = partial(_prepared, textures=Textures(None, size))
    matching = Matching(network, bank).to(context.device)
    in_channels_last(network)
    with Batches(images, params.batch_size, context, "first", prepare) as batches:
        first = batches.at(0, 0.0)
        torch.manual_seed(context.seed)
        matching.start(first)
        rate = _rate(matching, batches, context)
    log = train(
        "adaptation",
        matching,
        matching.loss,
        images,
        optimizer=_optimizer(matching, rate),
        budget=budget,
        params=params,
        context=context,
        schedule=_schedule,
        prepare=prepare,
    )
    return log, rate


def _rate(matching: Matching, batches: Batches, context: Context) -> float:
    """The learning rate: from the folder of checkpoints where it was found before, else found by trying a few."""
    file = None if context.checkpoints is None else context.checkpoints / "learning_rate"
    if file is not None and file.is_file():
        return float(file.read_text())
    context.report("adaptation: finding a learning rate")

    def loss(step: int) -> Tensor:
        batch = batches.at(step, 0.0)
        torch.manual_seed(batches.seed(step))
        return torch.stack(list(matching.loss(batch).values())).sum()

    rate = find_rate(matching, loss, partial(_optimizer, matching))
    if file is not None:
        atomic_files.write(file, repr(rate).encode())
    return rate


class Matching(nn.Module):
    """The network with what its training needs: the references and a logistic curve for every layer.

    Args:
        network: is trained.
        bank: is not; fitted on the normal images.
    """

    def __init__(self, network: AdaptedNetwork, bank: FilterBank) -> None:
        super().__init__()
        self.network, self._bank = network, bank
        self.references = nn.ModuleList(_References(channels) for channels in network.channels)
        layers = len(network.channels)
        self.steepness = nn.Parameter(torch.full((2, layers), 2.0))  # of places, and of images
        self.middle = nn.Parameter(torch.zeros(2, layers))

    @torch.no_grad()
    def start(self, batch: Batch) -> None:
        """Calibrate the network, fill the references, and centre the logistic curves on the mean distances."""
        self.network.calibrate(self._bank_layers(batch.prepared[0]))
        for _ in range(_STEPS_KEPT):
            self._refer(batch)
        for layer, (places, _, owners) in enumerate(self._places(batch)):
            distances = self._distances(layer, places, owners)
            self.middle[:, layer] = torch.stack([distances.mean(), _largest(distances, owners).mean()])

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        """Cross entropy of the places of every layer, anomalous and normal ones counting alike, and of the images, each
        scored by its worst place."""
        self._refer(batch)
        terms = {}
        for layer, (places, anomalous, owners) in enumerate(self._places(batch)):
            name = self._bank.layers[layer]
            distances = self._distances(layer, places, owners)
            of_places = self._logits(0, layer, distances)
            sides = [side for side in (anomalous, ~anomalous) if side.any()]
            entropies = [_entropy(of_places[side], anomalous[side].float()) for side in sides]
            terms[f"places_{name}"] = torch.stack(entropies).sum()
            of_images = self._logits(1, layer, _largest(distances, owners))
            terms[f"images_{name}"] = _entropy(of_images, _largest(anomalous.float(), owners))
        return terms

    def _logits(self, level: int, layer: int, distances: Tensor) -> Tensor:
        return self.steepness[level, layer] * (distances - self.middle[level, layer])

    def _distances(self, layer: int, places: Tensor, owners: Tensor) -> Tensor:
        distances: Tensor = self.references[layer](places, owners)
        return distances

    @torch.no_grad()
    def _refer(self, batch: Batch) -> None:
        """Take a batch's references."""
        images = batch.prepared[0]
        owners = torch.tensor(batch.indices[: len(images)], device=images.device)
        for kept, layer in zip(self.references, self._pooled(images), strict=True):
            assert isinstance(kept, _References)
            kept.add(layer, owners)

    def _places(self, batch: Batch) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """For every layer: places [N, C] of the images with anomalies, whether each is anomalous [N], its image [N]."""
        _, images, masks = batch.prepared
        owners = torch.tensor(batch.indices[-len(images) :], device=images.device)
        for layer in self._pooled(images):
            height, width = layer.shape[-2:]
            share = adaptive_avg_pool2d(masks[:, None].float(), (height, width)).flatten()
            chosen = torch.cat([_some((share > 0.5).nonzero()[:, 0]), _some((share == 0).nonzero()[:, 0])])
            image = chosen // (height * width)
            yield layer.movedim(1, -1).flatten(0, 2)[chosen], share[chosen] > 0.5, owners[image]

    def _pooled(self, images: Tensor) -> list[Tensor]:
        layers = self.network(self._bank_layers(images))
        return [avg_pool2d(layer, _POOLED, 1, _POOLED // 2).float() for layer in layers]

    def _bank_layers(self, images: Tensor) -> list[Tensor]:
        # The bank works in inference mode; a clone may take part in training.
        return [layer.clone(memory_format=torch.channels_last) for layer in self._bank(images)]


class _References(nn.Module):
    """Places of normal images that were seen in the last steps, and which image each is from."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.places: Tensor
        self.owners: Tensor
        self.register_buffer("places", torch.zeros(_STEPS_KEPT, _REFERENCE_PLACES, channels))
        self.register_buffer("owners", torch.full((_STEPS_KEPT, _REFERENCE_PLACES), -1))

    def add(self, layer: Tensor, owners: Tensor) -> None:
        """Take random places of a layer [B, C, H, W] of images [B] for those of the oldest step."""
        vectors = layer.movedim(1, -1).flatten(0, 2)
        chosen = torch.randint(len(vectors), (_REFERENCE_PLACES,), device=layer.device)
        self.places.copy_(torch.cat([self.places[1:], vectors[chosen][None]]))
        self.owners.copy_(torch.cat([self.owners[1:], owners[chosen // (len(vectors) // len(layer))][None]]))

    @torch.autocast("cuda", enabled=False)
    def forward(self, places: Tensor, owners: Tensor) -> Tensor:
        """Logarithm of the mean squared difference of places [N, C] to the nearest reference of another image [N]."""
        kept, kept_owners = self.places.flatten(0, 1), self.owners.flatten()
        with torch.no_grad():
            distances = kept.square().sum(1) - 2 * places @ kept.T
            distances.masked_fill_(owners[:, None] == kept_owners, torch.inf)
            nearest = kept[distances.argmin(1)]
        return ((places - nearest).square().mean(1) + _SMALLEST).log()


def _prepared(batch: Batch, textures: Textures) -> tuple[Tensor, ...]:
    """References [R, 3, S, S], images with anomalies [B - R, 3, S, S] and their masks; all with varied light."""
    images = _turned(batch.images, int(batch.random.integers(8)))
    gains = 1 + _LIGHT[0] * batch.random.uniform(-1, 1, (len(batch.images), 1, 1, 1))
    shifts = _LIGHT[1] * batch.random.uniform(-1, 1, (len(batch.images), 1, 1, 1))
    lit = (images * torch.from_numpy(gains).float() + torch.from_numpy(shifts).float()).clamp(0, 1)
    references = max(1, len(lit) // _REFERENCES)
    anomalous, masks = varied_defects(lit[references:], batch.random, textures)
    return lit[:references], anomalous, masks


def _largest(values: Tensor, owners: Tensor) -> Tensor:
    """The largest value of each image [N images] of values [N] and the images that they are from [N]."""
    images, position = owners.unique(return_inverse=True)
    return values.new_full((len(images),), -torch.inf).scatter_reduce(0, position, values, "amax")


def _turned(images: Tensor, way: int) -> Tensor:
    """All images rotated and mirrored in the same one of eight ways, which varies what the network sees."""
    turned = torch.rot90(images, way % 4, (2, 3))
    return turned.flip(3) if way >= 4 else turned


def _some(places: Tensor) -> Tensor:
    return places[torch.randperm(len(places), device=places.device)[:_PLACES]]


def _optimizer(matching: Matching, rate: float) -> AdamW:
    curves = [matching.steepness, matching.middle]
    groups: list[dict[str, Any]] = [
        {"params": matching.network.parameters()},
        {"params": curves, "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=rate, weight_decay=_WEIGHT_DECAY)


def _schedule(progress: float) -> float:
    """Up to the full rate, then down to nothing along half a cosine."""
    return min(1.0, progress / _WARM_UP + 0.01) * (1 + math.cos(math.pi * progress)) / 2
