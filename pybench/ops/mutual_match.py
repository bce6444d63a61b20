"""Mutual matching of query features with a bank of templates (HETMM, Eq. 3-5)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pybench.ops.dispatch import Implementation, Op, capsule, cuda, current_stream, native
from pybench.ops.template_bank import (
    EPSILON,
    PANEL_LANES,
    TemplateBank,
    check_features,
    from_16_bits,
    pack_templates,
    to_16_bits,
)
from pybench.types import InputError

# On a GPU, CHUNK_ROWS rows of a panel are multiplied with CHUNK_HALVES float16 values of the query
# (csrc/cuda/mutual_match/mutual_match.cu); a query's row is filled up with zeros to a multiple of that.
CHUNK_ROWS, CHUNK_HALVES = 64, 128
LARGEST_WINDOW = 61  # on a GPU
# The reference gathers the query's windows for as many rows of pixels as fit into this many bytes.
GATHER_BYTES = 16 << 20


@torch.no_grad()
def mutual_match(
    query: Tensor,
    templates: Tensor | TemplateBank,
    forward_window: int,
    backward_window: int,
    backend: str = "auto",
) -> tuple[Tensor, Tensor]:
    """Forward and backward distance maps between a query and templates (HETMM, Eq. 3-5).

    Feature vectors are normalised to unit length; the distance of two vectors is 1 - cosine, in [0, 2]. *Forward* at a
    pixel is the smallest distance between the query at this pixel and any template within the window around it.
    *Backward* is the smallest distance between the query within the window and any template at the pixel. Windows are
    clipped at the border. A zero vector has the distance 1 to every vector. If a vector contains a NaN or an infinity,
    all its distances are NaN, and so are the maps at every pixel whose window contains it. The maps have no gradient.

    Args:
        query: features [B, C, H, W], float32 or float64; B may be 0.
        templates: features [N, C, H, W] of the same dtype and device, which are packed in every call; or a bank from
            ``pack_templates``, which is packed once and may have reduced precision.
        forward_window: side of the forward window in pixels, odd.
        backward_window: side of the backward window in pixels, odd.
        backend: ``auto``, or one of ``cuda``, ``avx512``, ``avx2``, ``portable``, ``reference`` to force it. ``cuda``
            takes float32 on a GPU and windows of at most 61 pixels. The next three take float32 on the CPU and use
            ``torch.get_num_threads()`` threads; the result does not depend on their number.

    Returns:
        The forward and the backward map, each [B, H, W], in [0, 2].

    Raises:
        InputError: shapes, dtypes or devices do not fit together, a window is even, or the backend cannot run.
    """
    check_features("query", query)
    for name, window in (("forward_window", forward_window), ("backward_window", backward_window)):
        if window < 1 or window % 2 == 0:
            raise InputError(f"{name} must be odd and positive, but is {window}")
    bank = templates if isinstance(templates, TemplateBank) else pack_templates(templates)
    _check_pair(query, bank)
    forward, backward = _op(backend, query, bank, forward_window, backward_window)
    return (1 - forward).clamp(0, 2), (1 - backward).clamp(0, 2)


def _check_pair(query: Tensor, bank: TemplateBank) -> None:
    expected = [bank.channels, bank.height, bank.width]
    if list(query.shape[1:]) != expected:
        raise InputError(f"query must be [B, C, H, W] = [any, {str(expected)[1:]}, but is {list(query.shape)}")
    dtype = torch.float32 if bank.precision == "reduced" else bank.panels.dtype
    if query.dtype != dtype or query.device != bank.panels.device:
        raise InputError(
            f"query and templates must agree, but are {query.dtype} on {query.device} and {dtype} on "
            f"{bank.panels.device}"
        )


# --- implementations: from features [B, C, H, W] and a bank to the largest cosines [B, H, W] in both directions -------


def _reference(query: Tensor, bank: TemplateBank, forward_window: int, backward_window: int) -> tuple[Tensor, Tensor]:
    """Plain torch: gather the query's windows, multiply them with the templates of each position, take maxima."""
    query = functional.normalize(query, dim=1, eps=EPSILON).contiguous(memory_format=torch.channels_last)
    if bank.precision == "reduced":
        query = from_16_bits(to_16_bits(query, 1, bank.panels.dtype), 1)
    unpacked = bank.unpacked()
    batch, _, height, width = query.shape
    side = max(forward_window, backward_window)
    row_bytes = width * batch * side**2 * bank.channels * query.element_size()
    rows = max(1, GATHER_BYTES // max(1, row_bytes))
    windows = _windows(query, side)
    cosines = query.new_empty(batch, height, width, side, side)
    for top in range(0, height, rows):
        panels = unpacked[top * width : (top + rows) * width]
        cosines[:, top : top + rows] = _window_cosines(windows[:, :, top : top + rows], panels, bank.count)
    cosines.masked_fill_(~_inside(height, width, side).to(query.device), -torch.inf)
    return _forward_maximum(cosines, forward_window), _central(cosines, backward_window).amax(dim=(3, 4))


def _windows(images: Tensor, side: int) -> Tensor:
    """Views of the windows around every pixel, [B, C, H, W, side, side], zero beyond the border."""
    radius = side // 2
    return functional.pad(images, (radius,) * 4).unfold(2, side, 1).unfold(3, side, 1)


def _inside(height: int, width: int, side: int) -> Tensor:
    """Which places of each window lie within the border, [H, W, side, side]."""
    return _windows(torch.ones(1, 1, height, width), side)[0, 0] > 0


def _window_cosines(windows: Tensor, panels: Tensor, count: int) -> Tensor:
    """The largest cosine over the templates, for each place in the windows of some rows, [B, rows, W, side, side]."""
    batch, channels, rows, width, side, _ = windows.shape
    gathered = windows.permute(2, 3, 0, 4, 5, 1).reshape(rows * width, batch * side**2, channels)
    templates = panels.transpose(1, 2).flatten(2)[..., :count]
    largest = torch.bmm(gathered, templates).amax(dim=2)
    return largest.view(rows, width, batch, side, side).permute(2, 0, 1, 3, 4)


def _central(cosines: Tensor, window: int) -> Tensor:
    margin = (cosines.shape[-1] - window) // 2
    return cosines[..., margin : margin + window, margin : margin + window]


def _forward_maximum(cosines: Tensor, window: int) -> Tensor:
    """The maximum for each query pixel over the template positions whose window contains it, [B, H, W]."""
    batch, height, width = cosines.shape[:3]
    radius = window // 2
    central = _central(cosines, window)
    padded = cosines.new_full((batch, height + 2 * radius, width + 2 * radius), -torch.inf)
    for dy in range(window):
        for dx in range(window):
            target = padded[:, dy : dy + height, dx : dx + width]
            torch.maximum(target, central[..., dy, dx], out=target)
    return padded[:, radius : radius + height, radius : radius + width]


def _native(
    level: str, query: Tensor, bank: TemplateBank, forward_window: int, backward_window: int
) -> tuple[Tensor, Tensor]:
    import pybench._cpu as _cpu

    query = query.detach()
    batch, _, height, width = query.shape
    length, step = _row_shape(bank)
    rows = query.new_empty(batch, height * width, step, dtype=bank.panels.dtype)[..., :length]
    threads = torch.get_num_threads()
    _cpu.unit_rows(query.flatten(2).contiguous().__dlpack__(), EPSILON, threads, rows.__dlpack__())
    forward, backward = query.new_empty(2, batch, height * width)
    _cpu.mutual_match(
        level,
        rows.__dlpack__(),
        bank.panels.__dlpack__(),
        height,
        width,
        forward_window,
        backward_window,
        threads,
        forward.__dlpack__(),
        backward.__dlpack__(),
    )
    return forward.view(batch, height, width), backward.view(batch, height, width)


def _row_shape(bank: TemplateBank) -> tuple[int, int]:
    """Length of a query's row, and the distance to the next row, in elements.

    The distance is longer by one cache line: at a power of two, all pixels of a tile would fall into one set of the
    cache.
    """
    if bank.precision == "reduced":
        length = 2 * bank.panels.shape[2]
        return length, length + 2 * PANEL_LANES
    return bank.channels, bank.channels + PANEL_LANES


def _cuda(query: Tensor, bank: TemplateBank, forward_window: int, backward_window: int) -> tuple[Tensor, Tensor]:
    import pybench._cuda as _cuda

    query = query.detach()
    batch, _, height, width = query.shape
    split = bank.precision == "full"
    chunks = -(-bank.panels.shape[2] // CHUNK_ROWS)
    rows = query.new_empty(batch, height * width, chunks * CHUNK_HALVES, dtype=torch.float16)
    table = query.new_empty(batch, max(forward_window, backward_window) ** 2, height * width)
    forward, backward = query.new_empty(2, batch, height * width)
    with current_stream(query) as stream:
        _cuda.unit_rows(capsule(query.flatten(2).contiguous()), EPSILON, split, capsule(rows), stream)
        _cuda.mutual_match(
            capsule(rows),
            capsule(bank.panels),
            bank.channels,
            height,
            width,
            forward_window,
            backward_window,
            split,
            capsule(table),
            capsule(forward),
            capsule(backward),
            stream,
        )
    return forward.view(batch, height, width), backward.view(batch, height, width)


def _cuda_unsuited(query: Tensor, bank: TemplateBank, forward_window: int, backward_window: int) -> str:
    if bank.panels.dtype == torch.int16:
        return "a bank of reduced precision must be packed from templates on the GPU"
    if max(forward_window, backward_window) > LARGEST_WINDOW:
        return f"windows must not be larger than {LARGEST_WINDOW}"
    return ""


_op = Op("mutual_match", [cuda(_cuda, _cuda_unsuited), *native(_native), Implementation("reference", _reference)])
