from typing import Any

def unit_rows(features: Any, epsilon: float, split: bool, rows: Any, stream: int) -> None: ...
def mutual_match(
    rows: Any,
    panels: Any,
    channels: int,
    height: int,
    width: int,
    forward_window: int,
    backward_window: int,
    split: bool,
    table: Any,
    forward: Any,
    backward: Any,
    stream: int,
) -> None: ...
def depthwise_conv2d(x: Any, weight: Any, bias: Any | None, transposed: bool, output: Any, stream: int) -> None: ...
def depthwise_conv2d_weight_gradient(output_gradient: Any, x: Any, partial: Any, stream: int) -> None: ...
