"""The procedural stand-in for MVTec AD with its defect types divided into structural and logical ones."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pybench.datasets.mvtec_ad_standin import MvtecAdStandin
from pybench.datasets.mvtec_sl import by_kind
from pybench.types import DatasetInfo, Sample

# A part is missing, in a wrong place or exchanged for another; all other defects damage or add something.
LOGICAL = {
    "bottle": ("misplaced_mouth",),
    "cable": ("cable_swap", "missing_cable"),
    "capsule": ("swapped_halves",),
    "hazelnut": ("missing_scar",),
    "toothbrush": ("missing_bristles", "swapped_color"),
    "transistor": ("misplaced", "missing"),
}


class MvtecSlStandin(MvtecAdStandin):
    """The images of ``mvtec_ad_standin``, in its folder."""

    info: ClassVar[DatasetInfo] = replace(
        MvtecAdStandin.info, name="mvtec_sl_standin", title="MVTec SL AD stand-in (procedural)"
    )

    def test_part(self, category: str) -> list[Sample]:
        """Those of ``mvtec_ad_standin`` by kind."""
        return by_kind(super().test_part(category), LOGICAL.get(category, ()))
