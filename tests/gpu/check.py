"""Checks every op for GPUs on this machine's GPU, times it, and prints a table: ``make gpu-check``.

Exits 1 where an error is above its tolerance, 2 where there is no GPU or no extension for it.
"""

from __future__ import annotations

import argparse
import secrets
import sys

import check_depthwise_conv2d
import check_mutual_match
import check_optics_select
import torch
from measure import table

from pybench.ops import backends

CHECKS = [check_depthwise_conv2d.cases, check_mutual_match.cases, check_optics_select.cases]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=secrets.randbits(31), help="of the random inputs")
    seed = parser.parse_args().seed
    if reason := backends()["mutual_match"]["cuda"]:
        print(f"The ops for GPUs cannot be checked here: {reason}.", file=sys.stderr)
        return 2
    print(f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}, torch {torch.__version__}, seed {seed}\n")
    found = [case for cases in CHECKS for case in cases(seed)]
    print(table(found))
    failed = sum(not case.passed for case in found)
    print(f"\n{failed} of {len(found)} cases failed." if failed else f"\nAll {len(found)} cases passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
