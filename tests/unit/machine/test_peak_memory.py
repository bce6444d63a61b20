"""The peak of this process's memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybench.machine import peak_memory


def test_the_peak_covers_what_was_used_since_the_reset() -> None:
    peak_memory.reset_peak_memory()
    before = peak_memory.peak_memory_mb()
    block = bytearray(64 << 20)
    block[:: 1 << 12] = b"x" * len(block[:: 1 << 12])
    del block
    assert peak_memory.peak_memory_mb() > before + 48


@pytest.mark.parametrize("status", ["", "Name: python\nVmRSS: 3 kB\n"])
def test_without_the_kernels_count_it_is_the_peak_of_the_processs_life(
    monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    def text_of(path: Path) -> str:
        return status

    monkeypatch.setattr(peak_memory, "text_of", text_of)
    assert peak_memory.peak_memory_mb() > 1
