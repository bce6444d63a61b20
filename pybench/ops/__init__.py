"""Hot operations: public functions that check their arguments, references in plain torch, and native implementations,
of which one is chosen at run time."""

from pybench.ops.connected_regions import connected_regions
from pybench.ops.depthwise_conv2d import depthwise_conv2d
from pybench.ops.dispatch import backends, record
from pybench.ops.fold_small_kernel import fold_small_kernel
from pybench.ops.k_center import k_center
from pybench.ops.mutual_match import mutual_match
from pybench.ops.optics_labels import optics_labels
from pybench.ops.optics_select import optics_select
from pybench.ops.perlin_noise import perlin_noise
from pybench.ops.template_bank import Precision, TemplateBank, pack_templates

__all__ = [
    "Precision",
    "TemplateBank",
    "backends",
    "connected_regions",
    "depthwise_conv2d",
    "fold_small_kernel",
    "k_center",
    "mutual_match",
    "optics_labels",
    "optics_select",
    "pack_templates",
    "perlin_noise",
    "record",
]
