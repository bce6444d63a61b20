"""The public names, those that ``from pybench import ...`` gives, and the module of each."""

from __future__ import annotations

PUBLIC = {
    "pybench.backbones.method": ("BackboneMethod", "BackboneParams"),
    "pybench.images.geometry": ("Geometry",),
    "pybench.images.score_maps": ("smooth", "upsample"),
    "pybench.results.store": ("load_results",),
    "pybench.stages": ("stage",),
    "pybench.training.batches": ("Batch", "stack"),
    "pybench.training.budget": ("Budget", "TrainingParams"),
    "pybench.training.loop": ("Training", "train"),
    "pybench.types": (
        "Citation",
        "Context",
        "Dataset",
        "DatasetInfo",
        "DatasetOptions",
        "Evaluation",
        "Images",
        "InputError",
        "Method",
        "MethodParams",
        "Metric",
        "Part",
        "Prediction",
        "Region",
        "Sample",
        "UndefinedMetricError",
    ),
}
HOME = {name: module for module, names in PUBLIC.items() for name in names}
