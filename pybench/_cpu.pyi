from typing import Any

def simd_levels() -> list[tuple[str, str]]: ...
def unit_rows(features: Any, epsilon: float, threads: int, unit: Any) -> None: ...
def mutual_match(
    level: str,
    query: Any,
    panels: Any,
    height: int,
    width: int,
    forward_window: int,
    backward_window: int,
    threads: int,
    forward: Any,
    backward: Any,
) -> None: ...
def k_center(level: str, points: Any, first: int, threads: int, chosen: Any) -> None: ...
def fma_peak(level: str, threads: int, repeats: int, tries: int) -> float: ...
def depthwise_conv2d(
    level: str, x: Any, weight: Any, bias: Any | None, transposed: bool, threads: int, output: Any
) -> None: ...
def depthwise_conv2d_weight_gradient(
    level: str, output_gradient: Any, x: Any, threads: int, weight_gradient: Any
) -> None: ...
