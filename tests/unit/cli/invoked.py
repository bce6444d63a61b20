"""Runs pybench in this process, and a small suite for it."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from pybench.cli.app import app

METHOD = '''
import torch
from pybench.types import Citation, Method, MethodParams, Prediction


class {cls}(Method):
    """Scores an image by its brightness."""

    name = "{name}"
    Params = MethodParams
    paper = Citation("Brightness", "Nobody", 2026)

    def fit(self, train):
        self.mean = torch.stack([image.mean() for image in train]).mean()

    def predict(self, images):
        {body}
        size = self.params.input_size
        maps = torch.nn.functional.interpolate(images, (size, size)).mean(1) - self.mean
        return Prediction(maps.amax((1, 2)), maps)

    def state_dict(self):
        return {{"mean": self.mean}}

    def load_state_dict(self, state):
        self.mean = state["mean"]
'''


SUITE = """
name: parts
title: Parts
datasets:
  - name: folder
    categories: [lid, nut]
    options: {normal: "{category}/ok", defective: "{category}/nok", masks: "{category}/masks"}
methods: [{name: bright, params: {image_size: 32}}, {name: fails, params: {image_size: 32}}]
metrics: [image_auroc, image_ap, pixel_auroc, aupro_30]
latency: null
"""


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def run_parts(*arguments: str) -> Result:
    return invoke("run", "parts.yaml", "--plugins", "mine", "--data-root", "data", "--executor", "inline", *arguments)
