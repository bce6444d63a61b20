"""Names of networks in words."""

from __future__ import annotations

from pybench.backbones.names import LITE0, title
from pybench.backbones.packaged_weights import PACKAGED


def test_networks_with_packaged_weights_have_a_name_in_words() -> None:
    assert (title(LITE0), title("resnet18")) == ("EfficientNet-Lite0", "resnet18")
    assert all(title(name) != name for name in PACKAGED)
