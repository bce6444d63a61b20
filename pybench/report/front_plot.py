"""A selection as a picture: accuracy over latency, memory as the markers' area, the front, the limits."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pybench.disk import atomic_files
from pybench.report.label_placement import nearest, place
from pybench.report.names import metric_words
from pybench.report.selection import Detector, Selection
from pybench.types import InputError

SUFFIXES = (".png", ".svg", ".pdf")
_DPI = 160
_MANY = 12  # detectors; more get a larger picture
_LOG_FROM = 5  # ratio of the largest to the smallest latency
_LARGEST, _SMALLEST = 260.0, 22.0  # area of a marker, in square points
_RIM = 1.6  # of what is in the front, in points
_WRAP = 24
# Okabe and Ito's colours, which people with colour-blindness tell apart; shapes tell methods apart in grey print, too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_SHAPES = ("o", "s", "^", "D", "v", "P", "X", "p", "h")
_LIMIT, _FAINT, _STEPS, _BAR = "#B00020", "#777777", "#C0C0C0", "#444444"


def check_suffix(file: Path) -> None:
    """Refuse a file name that a picture cannot have.

    Raises:
        InputError: it ends in something else than ``SUFFIXES``.
    """
    if file.suffix not in SUFFIXES:
        raise InputError(
            f"--plot {file}: expected a file name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )


def save(selection: Selection, file: Path) -> None:
    """Draw a selection to a file, which is there whole or not at all.

    Raises:
        InputError: a suffix that is not known, nothing to draw, or the file cannot be written.
    """
    check_suffix(file)
    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "pybench"}):  # the same picture has the same bytes
        figure = draw(selection)
        when = {".png": "Creation Time", ".svg": "Date", ".pdf": "CreationDate"}[file.suffix]
        figure.savefig(content, format=file.suffix[1:], dpi=_DPI, metadata={when: None})
    atomic_files.write(file, content.getvalue())


def draw(selection: Selection) -> Figure:
    """The picture.

    Raises:
        InputError: no detector has both the metric and a latency.
    """
    shown = [one for one in selection.detectors if one.value.value is not None and one.measured]
    if not shown:
        raise InputError(
            f"nothing to draw: on {selection.place} no candidate has both {selection.metric} and a latency"
        )
    figure = Figure(figsize=(8.6, 5.2) if len(shown) <= _MANY else (10.8, 7.2), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    _scale(axes, selection, shown)
    lines = [*_draw_bound(axes, selection), *_draw_front(axes, selection, shown)]
    methods = list(dict.fromkeys(one.spec.method for one in shown))
    largest = max(one.measured["peak_memory_mb"] for one in shown)
    for detector in sorted(shown, key=lambda one: -one.measured["peak_memory_mb"]):  # the small ones on top
        lines += _draw_marker(axes, detector, methods, largest)
    _draw_legend(figure, selection, shown, methods, largest)
    _draw_words(axes, selection, shown)
    figure.draw_without_rendering()  # settles where everything lies
    figure.set_layout_engine("none")
    _draw_labels(axes, selection, shown, largest, lines)
    return figure


def _point(detector: Detector) -> tuple[float, float]:
    assert detector.value.value is not None
    return detector.measured["latency_p95_ms"], detector.value.value


def _bound(selection: Selection, quantity: str) -> float | None:
    return next((constraint.bound for constraint in selection.constraints if constraint.quantity == quantity), None)


def _scale(axes: Axes, selection: Selection, shown: Sequence[Detector]) -> None:
    """Axes that hold all markers, their intervals and the limit, with room for labels."""
    p95s = [end for one in shown for end in (_point(one)[0], *one.intervals.get("latency_p95_ms", ()))]
    bound = _bound(selection, "latency_p95_ms")
    p95s += [bound] if bound is not None else []
    low, high = min(p95s), max(p95s)
    if high / max(low, 1e-9) > _LOG_FROM:
        axes.set_xscale("log")
        room = (high / low) ** 0.08
        axes.set_xlim(low / room, high * room**1.6)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        room = 0.08 * (high - low) or 0.1 * high
        axes.set_xlim(max(0, low - room), high + 1.6 * room)
    values = [end for one in shown for end in _ends(one)]
    room = 0.12 * (max(values) - min(values)) or 1
    axes.set_ylim(max(min(values) - room, -room / 2), min(max(values) + room, 100 + room / 2))


def _ends(detector: Detector) -> tuple[float, float]:
    value, spread = _point(detector)[1], detector.value.spread or 0
    return value - spread, value + spread


def _draw_bound(axes: Axes, selection: Selection) -> list[Any]:
    bound = _bound(selection, "latency_p95_ms")
    if bound is None:
        return []
    axes.axvspan(bound, axes.get_xlim()[1], color=_LIMIT, alpha=0.05, lw=0)
    text = axes.annotate(
        f"p95 limit {bound:.10g} ms",
        (bound, 0.01),
        xycoords=("data", "axes fraction"),
        xytext=(3, 0),
        textcoords="offset points",
        color=_LIMIT,
        fontsize=8,
        rotation=90,
        va="bottom",
    )
    return [axes.axvline(bound, color=_LIMIT, lw=1.2, ls=(0, (5, 3))), text]


def _draw_front(axes: Axes, selection: Selection, shown: Sequence[Detector]) -> list[Any]:
    """A step at each detector that is better than all faster ones."""
    sign = 1 if selection.higher_is_better else -1
    steps: list[tuple[float, float]] = []
    for p95, value in sorted(map(_point, shown), key=lambda point: (point[0], -sign * point[1])):
        if not steps or sign * value > sign * steps[-1][1]:
            steps.append((p95, value))
    steps.append((axes.get_xlim()[1], steps[-1][1]))
    xs, ys = zip(*steps, strict=True)
    return axes.plot(xs, ys, drawstyle="steps-post", color=_STEPS, lw=2.5, zorder=1.5)


def _draw_marker(axes: Axes, detector: Detector, methods: Sequence[str], largest: float) -> list[Any]:
    """A marker with its intervals; returns what labels should not lie on."""
    p95, value = _point(detector)
    low, high = detector.intervals.get("latency_p95_ms", (p95, p95))
    bars = axes.plot([low, high], [value, value], "|-", color=_BAR, lw=0.8, ms=4, zorder=2)
    bars += axes.plot([p95, p95], _ends(detector), "_-", color=_BAR, lw=0.8, ms=4, zorder=2)
    colour, shape = _look(methods.index(detector.spec.method))
    size = math.sqrt(_area(detector.measured["peak_memory_mb"], largest))
    if detector.in_front:
        axes.plot(p95, value, shape, ms=size - 1, color="black", mew=1.2 + 2 * _RIM, zorder=3)
    face = colour if not detector.broken else "white"
    axes.plot(p95, value, shape, ms=size - 1, mfc=face, mec=colour, mew=1.2, zorder=3)
    return bars


def _look(number: int) -> tuple[str, str]:
    return _COLOURS[number % len(_COLOURS)], _SHAPES[number % len(_SHAPES)]


def _area(memory: float, largest: float) -> float:
    return max(_SMALLEST, _LARGEST * memory / largest)


def _draw_legend(
    figure: Figure, selection: Selection, shown: Sequence[Detector], methods: Sequence[str], largest: float
) -> None:
    """Right of the picture: methods, memory, and how the rest is to be read."""

    def entry(label: str, **look: Any) -> Line2D:
        return Line2D([], [], **{"ls": "", "marker": "o", "ms": 7, "color": "black", "label": label, **look})

    grey: dict[str, Any] = {"mfc": "#BBBBBB", "mec": _FAINT}
    entries = []
    for number, method in enumerate(methods):
        colour, shape = _look(number)
        entries.append(entry(method, color=colour, marker=shape))
    entries += [entry("", marker=""), entry("peak memory", marker="")]
    for memory in _examples([one.measured["peak_memory_mb"] for one in shown]):
        entries.append(entry(f"{memory:.0f} MB", ms=math.sqrt(_area(memory, largest)), **grey))
    bound = _bound(selection, "peak_memory_mb")
    if bound is not None and bound <= 1.5 * largest:
        size = math.sqrt(_area(bound, largest))
        entries.append(entry(f"limit {bound:.0f} MB", mfc="none", mec=_LIMIT, mew=1.2, ms=size))
    entries.append(entry("", marker=""))
    if any(one.broken for one in shown):
        entries.append(entry("over a limit", mfc="white", mec=_FAINT, mew=1.2))
    entries.append(entry("Pareto front", mfc="#BBBBBB", mec="black", mew=_RIM))
    entries.append(Line2D([], [], color=_STEPS, lw=2.5, label="best that is\nas fast"))
    figure.legend(handles=entries, loc="outside right upper", frameon=False, labelspacing=1.1)


def _examples(memories: Sequence[float]) -> list[float]:
    """The least, the largest and what lies between, to two digits."""
    low, high = min(memories), max(memories)
    rounded = [float(f"{memory:.2g}") for memory in (low, math.sqrt(low * high), high)]
    return list(dict.fromkeys(rounded if high > 1.3 * low else rounded[1:2]))


def _draw_words(axes: Axes, selection: Selection, shown: Sequence[Detector]) -> None:
    metric = " ".join(metric_words(selection.metric))
    direction = "" if selection.higher_is_better else ", lower is better"
    scale = ", log scale" if axes.get_xscale() == "log" else ""
    axes.set_ylabel(f"{metric}, mean (%{direction})")
    lines = [f"p95 latency of single images (ms{scale}); bars: 95 % interval, standard deviation over seeds"]
    if selection.constraints:
        lines.append(f"limits: {', '.join(map(str, selection.constraints))}")
    missing = [detector.label for detector in selection.detectors if detector not in shown]
    if missing:
        lines.append(f"not drawn, because metric or latency is missing: {', '.join(missing)}")
    axes.set_xlabel("\n".join("\n".join(textwrap.wrap(line, 100)) for line in lines))
    axes.set_title(selection.title, loc="left", fontsize=10, fontweight="bold")
    axes.grid(color="#E6E6E6", lw=0.6)
    axes.set_axisbelow(True)


def _draw_labels(
    axes: Axes, selection: Selection, shown: Sequence[Detector], largest: float, lines: Sequence[Any]
) -> None:
    """Each detector's name beside its marker, with a line to it where it had to go further away."""
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    points = 72 / figure.dpi  # per pixel
    texts = [
        axes.text(0, 0, name, fontsize=8, fontweight="bold" if detector is selection.best else "normal", zorder=4)
        for detector, name in zip(shown, _names(shown), strict=True)
    ]
    extents = [text.get_window_extent() for text in texts]
    anchors = axes.transData.transform([_point(detector) for detector in shown]) * points
    radii = np.array([math.sqrt(_area(one.measured["peak_memory_mb"], largest)) / 2 + _RIM for one in shown])
    sizes = np.array([[extent.width, extent.height] for extent in extents]) * points
    frame = axes.get_window_extent()
    bounds = tuple(float(side * points) for side in (*frame.min, *frame.max))
    boxes = [box for line in lines for box in _boxes(line)]
    obstacles = np.array(boxes).reshape(-1, 4) * points
    places = place(anchors, radii, sizes, (bounds[0], bounds[1], bounds[2], bounds[3]), obstacles)
    to_data = axes.transData.inverted()
    for text, anchor, radius, box in zip(texts, anchors, radii, places, strict=True):
        x, y = to_data.transform(box[:2] / points)
        text.set_position((float(x), float(y)))
        text.set_verticalalignment("bottom")
        end = nearest(anchor, box[None])[0]
        if np.linalg.norm(end - anchor) > radius + 6:
            (x, y), (to_x, to_y) = to_data.transform(np.stack([anchor, end]) / points)
            axes.plot([x, to_x], [y, to_y], color=_FAINT, lw=0.5, zorder=2.5)


def _names(shown: Sequence[Detector]) -> list[str]:
    """What distinguishes each detector; its method, which shape and colour show, only if nothing else does."""
    names = [one.label.removeprefix(one.spec.method).strip() or one.spec.method for one in shown]
    return ["\n".join(textwrap.wrap(name, _WRAP)) for name in names]


def _boxes(drawn: Any) -> Iterator[tuple[float, float, float, float]]:
    """Boxes around what is drawn, one for each piece of a line; in pixels."""
    if not isinstance(drawn, Line2D):
        extent = drawn.get_window_extent()
        yield extent.x0, extent.y0, extent.x1, extent.y1
        return
    corners = drawn.get_transform().transform(drawn.get_path().vertices)
    if drawn.get_drawstyle() == "steps-post":
        between = np.stack([corners[1:, 0], corners[:-1, 1]], axis=1)
        corners = np.insert(corners, np.arange(1, len(corners)), between, axis=0)
    for (x0, y0), (x1, y1) in pairwise(corners):
        yield min(x0, x1) - 1, min(y0, y1) - 1, max(x0, x1) + 1, max(y0, y1) + 1
