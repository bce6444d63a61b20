"""mutual_match on the GPU: exactness, and times beside plain torch and the kernel of the paper's authors."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from measure import Case, largest_error, milliseconds, tensor_peak
from torch import Tensor
from torch.nn import functional

from pybench.ops import TemplateBank, mutual_match, pack_templates

LAYERS = [(256, 64, 9), (512, 32, 7), (1024, 16, 5)]  # channels, side, window, for an image of 256 x 256
# The cosine of float32 vectors, and of vectors rounded to float16.
TOLERANCE = {"full": 2e-6, "reduced": 1e-3}


def cases(seed: int) -> Iterator[Case]:
    generator = torch.Generator("cuda").manual_seed(seed)
    yield from _small_cases(generator, random.Random(seed))
    naive = _naive_kernel()
    peaks = {"full": ("TF32", tensor_peak(torch.float32)), "reduced": ("bf16", tensor_peak(torch.bfloat16))}
    for count in (60, 209):
        for channels, side, window in LAYERS:
            templates = torch.randn(count, channels, side, side, device="cuda", generator=generator)
            query = torch.randn(8, channels, side, side, device="cuda", generator=generator)
            for batch in (1, 8):
                yield from _timed(query[:batch], templates, window, naive, peaks)


def _small_cases(generator: torch.Generator, chooser: random.Random) -> Iterator[Case]:
    """Fresh shapes: all sizes that are no multiples of a tile, windows beyond the border, NaN."""
    errors = {"full": 0.0, "reduced": 0.0}
    for _ in range(50):
        batch, count = chooser.randint(0, 9), chooser.choice([1, 15, 16, 17, 33, 60, 129, 300])
        shape = chooser.randint(1, 200), chooser.randint(1, 20), chooser.randint(1, 20)
        windows = chooser.choice([1, 3, 5, 9, 13, 61]), chooser.choice([1, 3, 7, 9])
        query = torch.randn(batch, *shape, device="cuda", generator=generator)
        templates = torch.randn(count, *shape, device="cuda", generator=generator)
        if batch and chooser.random() < 0.3:
            query[-1, 0, -1, 0] = torch.nan
        for precision in errors:
            bank = pack_templates(templates, precision)
            errors[precision] = max(errors[precision], _error(query, templates, bank, *windows))
    for precision, error in errors.items():
        yield Case("mutual_match", f"{precision}, 50 random shapes", error, TOLERANCE[precision])


def _timed(
    query: Tensor,
    templates: Tensor,
    window: int,
    naive: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]],
    peaks: dict[str, tuple[str, float]],
) -> Iterator[Case]:
    batch, channels, side, _ = query.shape
    full = pack_templates(templates)
    unit_query, unit_templates = (functional.normalize(t, dim=1).contiguous() for t in (query, templates))
    plain = mutual_match(query, full, window, window, "reference")
    if max(largest_error(a, e) for a, e in zip(naive(unit_query, unit_templates, window), plain, strict=True)) > 1e-4:
        raise RuntimeError("the naive kernel and plain torch disagree")
    baselines = {
        "one thread per output": milliseconds(lambda: naive(unit_query, unit_templates, window)),
        "plain torch": milliseconds(lambda: mutual_match(query, full, window, window, "reference")),
    }
    within = sum(min(i + window // 2, side - 1) - max(i - window // 2, 0) + 1 for i in range(side))
    products = batch * len(templates) * channels * within**2
    for precision, (name, peak) in peaks.items():
        bank = pack_templates(templates, precision)
        ours = milliseconds(lambda bank=bank: mutual_match(query, bank, window, window, "cuda"))
        rate = 2 * products / ours / 1e9
        yield Case(
            "mutual_match",
            f"{precision}, N={len(templates)}, {channels}x{side}x{side} window {window}, batch {batch}",
            _error(query, templates, bank, window, window),
            TOLERANCE[precision],
            ours,
            baselines,
            f"{rate:.0f} TFLOP/s, {rate / peak:.0%} of the {name} peak {peak:.0f}",
        )


def _error(query: Tensor, templates: Tensor, bank: TemplateBank, forward_window: int, backward_window: int) -> float:
    ours = mutual_match(query, bank, forward_window, backward_window, "cuda")
    exact = mutual_match(query.double(), templates.double(), forward_window, backward_window, "reference")
    return max(largest_error(a, e) for a, e in zip(ours, exact, strict=True))


def _naive_kernel() -> Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]:
    source = Path(__file__).with_name("naive_mutual_match.cu")
    nvcc = os.environ.get("CUDACXX") or shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/naive.so"
        subprocess.run(
            [nvcc, "-O3", "-arch=native", "-shared", "-Xcompiler", "-fPIC", str(source), "-o", library], check=True
        )
        launch = ctypes.CDLL(library).naive_mutual_match

    def run(query: Tensor, templates: Tensor, window: int) -> tuple[Tensor, Tensor]:
        batch, channels, height, width = query.shape
        maps = []
        for forward in (1, 0):
            cosines = query.new_empty(batch, len(templates), height, width)
            sizes = [ctypes.c_int(v) for v in (batch, len(templates), channels, height, width, window, forward)]
            pointers = [ctypes.c_void_p(t.data_ptr()) for t in (query, templates, cosines)]
            stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            if error := launch(*pointers, *sizes, stream):
                raise RuntimeError(f"the naive kernel could not be launched: CUDA error {error}")
            maps.append(1 - cosines.amax(dim=1))
        return maps[0], maps[1]

    return run
