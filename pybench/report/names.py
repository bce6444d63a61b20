"""How metrics, methods and statuses are called in a table, and which way a metric is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pybench import registry
from pybench.records import Status
from pybench.types import InputError

HEADLINE = ("image_auroc", "pixel_auroc", "aupro_30")
UNDEFINED = "\N{EN DASH}"
_SPECIAL = {
    "auroc": "AUROC",
    "ap": "AP",
    "aupro": "AUPRO",
    "auspro": "AUsPRO",
    "f1": "F1",
    "iou": "IoU",
    "30": "0.30",
    "05": "0.05",
    "sl": "S/L",
}

STATUS_WORDS: Mapping[Status, str] = {
    "ok": "ok",
    "skipped": "skipped",
    "failed": "failed",
    "timeout": "timeout",
    "out_of_memory": "no memory",
}


def metric_words(name: str) -> list[str]:
    """The words of a metric's name as written in the field: ``image_auroc`` is image AUROC, ``aupro_30`` AUPRO 0.30."""
    return [_SPECIAL.get(word, word) for word in name.split("_")]


def two_lines(name: str) -> tuple[str, str]:
    """A metric's name over two lines of a narrow column."""
    first, *rest = metric_words(name)
    return first, " ".join(rest)


def higher_is_better(metric: str) -> bool:
    """As the metric says of itself; True for one that is no longer installed."""
    return metric not in registry.names("metric") or bool(registry.load("metric", metric).higher_is_better)


def choose_metrics(available: Sequence[str], wanted: Sequence[str] = ()) -> list[str]:
    """The metrics that a table shows: those wanted, else the headline ones that were computed, else the first three.

    Raises:
        InputError: a wanted metric was not computed; the nearest one is named.
    """
    for name in wanted:
        if name not in available:
            raise InputError(registry.unknown("metric", name, available))
    return list(wanted) or [name for name in HEADLINE if name in available] or list(available[:3])


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names whose values are not the same in all settings."""
    names = dict.fromkeys(name for setting in settings for name in setting)
    return [name for name in names if any(setting.get(name) != settings[0].get(name) for setting in settings)]


def listed(items: Iterable[str], limit: int = 6) -> str:
    """Items separated by commas; of more than ``limit`` the first ones and how many more there are."""
    items = list(dict.fromkeys(items))
    shown = ", ".join(items[:limit])
    return f"{shown} and {len(items) - limit} more" if len(items) > limit else shown
