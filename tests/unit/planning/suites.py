"""A small suite for the tests of planning."""

from __future__ import annotations

from typing import Any

from pybench.planning.plan import Plan, plan

GOOD = """\
name: mine
title: My suite
datasets:
  - name: mvtec_ad
    categories: [bottle, cable]
methods:
  - name: padim
    params: {backbone: resnet18}
    grid: {dimensions: [50, 100]}
profiles:
  quick:
    methods:
      padim: {weights: random}
"""


def planned(suite: Any, **options: Any) -> Plan:
    return plan(*suite, **{"profile": "quick", **options})
