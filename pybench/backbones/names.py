"""Names of networks: where they come from, and what they are called in words. Imports no library, so that tables and
``--help`` need none."""

TIMM = "timm/"  # before the names of timm's networks
OPEN_CLIP = "open_clip/"  # before those of open_clip: open_clip/MODEL/WEIGHTS
LITE0 = f"{TIMM}tf_efficientnet_lite0"  # the package of its weights is a dependency of pybench

_TITLES = {
    LITE0: "EfficientNet-Lite0",
    f"{TIMM}tf_efficientnet_lite1": "EfficientNet-Lite1",
    f"{TIMM}tf_efficientnet_lite2": "EfficientNet-Lite2",
    "mobilenet_v2": "MobileNetV2",
}


def title(backbone: str) -> str:
    """A network's name in words where it has one here, else as it is."""
    return _TITLES.get(backbone, backbone)
