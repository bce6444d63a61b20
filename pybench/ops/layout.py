"""The memory layout in which convolutions are fastest here."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def in_channels_last(network: Network) -> Network:
    """The network with its weights in the layout channels last, in which its results are in that layout, too."""
    layout: dict[str, Any] = {"memory_format": torch.channels_last}  # older torch types no such argument
    return network.to(**layout)
