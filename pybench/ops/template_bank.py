"""Banks of templates for ``mutual_match``: normalised and packed for its native code, in full or reduced precision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from pybench.types import InputError

# The bank is stored in panels of this many templates: the lanes of a vector register are templates
# (csrc/cpu/mutual_match).
PANEL_LANES = 16
# A component v of a unit vector is round(v * FIXED_ONE) in 16-bit fixed point, at most FIXED_ONE - 1 either way;
# NOT_A_NUMBER is the first component of a vector that held a NaN or an infinity.
FIXED_ONE = 1 << 15
NOT_A_NUMBER = -FIXED_ONE
# Shorter vectors are divided by this instead of by their length: a zero vector stays zero.
EPSILON = 1e-12

Precision = Literal["full", "reduced"]


@dataclass(frozen=True)
class TemplateBank:
    """Templates [N, C, H, W] normalised and packed once, for many calls of ``mutual_match``.

    ``panels`` is [H * W, ceil(N / 16), C, 16]: unit feature vectors with templates in the last dimension. The last
    panel is filled up with copies of its last template, which change no maximum. With reduced precision, panels are
    int16 fixed point on the CPU and float16 on a GPU, [H * W, ceil(N / 16), ceil(C / 2), 32], with two channels of a
    template side by side. ``count`` is N, ``channels`` C, ``height`` H, ``width`` W.
    """

    panels: Tensor
    count: int
    channels: int
    height: int
    width: int

    @property
    def precision(self) -> Precision:
        """``reduced`` if the panels have 16 bits per component, else ``full``."""
        return "reduced" if self.panels.element_size() == 2 else "full"

    def to(self, device: str) -> TemplateBank:
        """The bank on another device. In reduced precision it is packed again if that device needs another format."""
        if self.precision == "reduced" and torch.device(device).type != self.panels.device.type:
            return pack_templates(self.templates().to(device), "reduced")
        return replace(self, panels=self.panels.to(device))

    def templates(self) -> Tensor:
        """The normalised templates [N, C, H, W], unpacked. To extend a bank, pack them together with new ones."""
        lanes = self.unpacked().permute(1, 3, 2, 0).flatten(0, 1)[: self.count]
        return lanes.reshape(self.count, self.channels, self.height, self.width)

    def unpacked(self) -> Tensor:
        """The panels as floats [H * W, ceil(N / 16), C, 16]."""
        if self.precision == "full":
            return self.panels
        channels = self.panels.unflatten(3, (PANEL_LANES, 2)).transpose(3, 4).flatten(2, 3)
        return from_16_bits(channels[:, :, : self.channels], 2)


def pack_templates(templates: Tensor, precision: Precision = "full") -> TemplateBank:
    """Normalise and pack templates; a bank of full precision needs as much memory as the templates.

    Args:
        templates: features of the normal images, [N, C, H, W], float32 or float64.
        precision: ``reduced`` stores components in 16 bits, which halves the memory and makes matching faster
            (docs/results/ops.md). It takes float32. Rounding changes a distance by about 1e-5 (standard deviation). The
            change is at most sqrt(C) / 2^15 on the CPU, in fixed point, and at most 2^-10 on a GPU, in float16.

    Raises:
        InputError: ``templates`` is not float32 or float64 with four dimensions, one of N, C, H, W is zero, or
            ``precision`` is unknown, or is ``reduced`` for float64.
    """
    check_features("templates", templates)
    count, channels, height, width = templates.shape
    if 0 in templates.shape:
        raise InputError(f"templates [N, C, H, W] must not be empty, but have the shape {list(templates.shape)}")
    if precision not in ("full", "reduced"):
        raise InputError(f"precision must be full or reduced, but is {precision!r}")
    if precision == "reduced" and templates.dtype != torch.float32:
        raise InputError(f"reduced precision takes float32, but templates are {templates.dtype}")
    reduced = torch.int16 if templates.device.type == "cpu" else torch.float16
    panels = templates.new_empty(
        (height * width, -(-count // PANEL_LANES), *_panel_shape(channels, precision)),
        dtype=reduced if precision == "reduced" else templates.dtype,
        requires_grad=False,
    )
    for index, lanes in enumerate(templates.detach().split(PANEL_LANES)):
        repeats = PANEL_LANES - len(lanes)
        filled = torch.cat([lanes, lanes[-1:].expand(repeats, -1, -1, -1)]) if repeats else lanes
        panel = functional.normalize(filled, dim=1, eps=EPSILON).flatten(2).permute(2, 1, 0)
        panels[:, index] = panel if precision == "full" else _paired(to_16_bits(panel, 1, reduced))
    return TemplateBank(panels, count, channels, height, width)


def _panel_shape(channels: int, precision: Precision) -> tuple[int, int]:
    return (channels, PANEL_LANES) if precision == "full" else (-(-channels // 2), 2 * PANEL_LANES)


def _paired(panel: Tensor) -> Tensor:
    """From [P, C, 16] to [P, ceil(C / 2), 32], with two channels of a template side by side."""
    even = functional.pad(panel, (0, 0, 0, panel.shape[1] % 2))
    paired: Tensor = even.unflatten(1, (-1, 2)).transpose(2, 3).flatten(2)
    return paired


def to_16_bits(unit: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    """Unit vectors along ``dim`` as float16 or, for int16, in fixed point."""
    return _to_fixed_point(unit, dim) if dtype == torch.int16 else unit.half()


def from_16_bits(rounded: Tensor, dim: int) -> Tensor:
    """The vectors along ``dim`` that ``to_16_bits`` rounded, as float32."""
    return _from_fixed_point(rounded, dim) if rounded.dtype == torch.int16 else rounded.float()


def _to_fixed_point(unit: Tensor, dim: int) -> Tensor:
    """Unit vectors along ``dim`` in 16-bit fixed point."""
    fixed = (unit * FIXED_ONE).round().clamp(1 - FIXED_ONE, FIXED_ONE - 1).nan_to_num()
    fixed.narrow(dim, 0, 1).masked_fill_(~torch.isfinite(unit).all(dim, keepdim=True), NOT_A_NUMBER)
    return fixed.to(torch.int16)


def _from_fixed_point(fixed: Tensor, dim: int) -> Tensor:
    """The vectors along ``dim`` as float32; those that contained a NaN or an infinity become NaN."""
    bad = fixed.narrow(dim, 0, 1) == NOT_A_NUMBER
    unit: Tensor = (fixed.float() / FIXED_ONE).masked_fill(bad, torch.nan)
    return unit


def check_features(name: str, features: Tensor) -> None:
    """Check that features are float32 or float64 with 4 dimensions.

    Raises:
        InputError: they are not; the message calls them ``name``.
    """
    if features.dim() != 4 or features.dtype not in (torch.float32, torch.float64):
        raise InputError(
            f"{name} must be float32 or float64 with 4 dimensions, but is {features.dtype} of shape "
            f"{list(features.shape)}"
        )
