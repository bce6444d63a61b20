"""Hot operations: public functions that validate, plain references, and native implementations chosen at run time."""

from pybench.ops.coreset import k_center
from pybench.ops.depthwise import depthwise_conv2d, fold_small_kernel
from pybench.ops.dispatch import backends, record
from pybench.ops.mutual_match import Precision, TemplateBank, mutual_match, pack_templates
from pybench.ops.optics import optics_labels, optics_select
from pybench.ops.perlin import perlin_noise
from pybench.ops.regions import connected_regions

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
