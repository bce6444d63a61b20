"""The interface of a backbone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from pybench.images.geometry import Geometry
from pybench.types import Images


class Backbone(ABC):
    """Turns images into feature maps, one per layer; layer n has stride 2^(n+1), as in a ResNet."""

    layers: tuple[int, ...]

    @abstractmethod
    def fit(self, train: Images, geometry: Geometry) -> None:
        """Learn from normal images what the features need of them."""

    @abstractmethod
    def __call__(self, images: Tensor) -> list[Tensor]:
        """Feature maps [B, C_l, H_l, W_l], one per layer, of images [B, 3, S, S], RGB in [0, 1]."""

    def identity(self) -> dict[str, Any] | None:
        """All that a layer's map depends on beside the image, as plain values. None means that maps are not cached:
        extracting them again is cheap, or few trials would need the same ones."""
        return None

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What ``fit`` learned."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""

    @abstractmethod
    def provenance(self) -> dict[str, Any]:
        """What a record should say of these features."""
