"""Benchmark of anomaly detectors for industrial inspection.

All that a plug-in or a notebook needs is imported from here: ``from pybench import Method, MethodParams, Prediction``.
A name is looked up in its own module when it is first used, so that importing the package imports nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pybench.public import HOME
from pybench.version import __version__

if TYPE_CHECKING:
    from pybench.backbones.method import BackboneMethod as BackboneMethod
    from pybench.backbones.method import BackboneParams as BackboneParams
    from pybench.images.geometry import Geometry as Geometry
    from pybench.images.score_maps import smooth as smooth
    from pybench.images.score_maps import upsample as upsample
    from pybench.results.store import load_results as load_results
    from pybench.stages import stage as stage
    from pybench.training.batches import Batch as Batch
    from pybench.training.batches import stack as stack
    from pybench.training.budget import Budget as Budget
    from pybench.training.budget import TrainingParams as TrainingParams
    from pybench.training.loop import Training as Training
    from pybench.training.loop import train as train
    from pybench.types import Citation as Citation
    from pybench.types import Context as Context
    from pybench.types import Dataset as Dataset
    from pybench.types import DatasetInfo as DatasetInfo
    from pybench.types import DatasetOptions as DatasetOptions
    from pybench.types import Evaluation as Evaluation
    from pybench.types import Images as Images
    from pybench.types import InputError as InputError
    from pybench.types import Method as Method
    from pybench.types import MethodParams as MethodParams
    from pybench.types import Metric as Metric
    from pybench.types import Part as Part
    from pybench.types import Prediction as Prediction
    from pybench.types import Region as Region
    from pybench.types import Sample as Sample
    from pybench.types import UndefinedMetricError as UndefinedMetricError

__all__ = ["__version__", *HOME]


def __getattr__(name: str) -> Any:
    if name in HOME:
        return getattr(importlib.import_module(HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
