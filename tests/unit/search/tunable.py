"""A method with a known optimum, a data set that guards its test set, and a search in this process."""

from __future__ import annotations

from pathlib import Path

from pybench.executors.inline import InlineExecutor
from pybench.planning.suite import LatencyProtocol
from pybench.records import Latency, LatencyFailure, Record, Timing, now
from pybench.results.constraints import parse
from pybench.results.store import Store
from pybench.search.candidate import Candidate
from pybench.search.prepare import Prepared
from pybench.search.search import Search
from pybench.search.settings import Settings
from pybench.spec import TrialSpec
from pybench.trial.job import Job

# The nearer ``gain`` is to 0.7 the less noise is in the map; ``steps`` is a budget; ``seconds`` are for the killer.
METHOD = '''
import time

import torch
from pydantic import Field

from pybench.images.geometry import Geometry
from pybench.types import Citation, Method, MethodParams, Prediction


class Params(MethodParams):
    image_size: int = 32
    gain: float = Field(0.1, ge=0, le=1, json_schema_extra={"search": True})
    kind: str = "fine"
    steps: int = Field(9, ge=1, json_schema_extra={"fidelity": True})
    seconds: float = 0


class Tunable(Method):
    """Difference to the mean image, and noise."""

    name = "tunable"
    Params = Params
    paper = Citation("none", "the tests", 2026)

    def fit(self, train):
        time.sleep(self.params.seconds)
        self.mean = torch.cat([Geometry.of(self.params).to_input(batch) for batch in train.batches(4)]).mean(0)

    def predict(self, images):
        if self.params.kind == "broken":
            raise RuntimeError("the lamp is broken")
        maps = (Geometry.of(self.params).to_input(images) - self.mean).abs().mean(1)
        noise = torch.rand(maps.shape, generator=torch.Generator().manual_seed(0))
        maps = maps + noise * (2 * abs(self.params.gain - 0.7) + 0.05)
        return Prediction(maps.amax((1, 2)), maps)

    def state_dict(self):
        return {"mean": self.mean}

    def load_state_dict(self, state):
        self.mean = state["mean"]
'''


# A data set that breaks whoever asks for its test set.
GUARDED = """
from dataclasses import replace

from pybench.datasets.folder import Folder


class Guarded(Folder):
    info = replace(Folder.info, name="guarded")

    def split(self, category, part):
        if part == "test":
            raise AssertionError("the test set was asked for")
        return super().split(category, part)
"""


METRIC = ("pixel_auroc",)


class Silent:
    """A listener that keeps how trials came."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.reused: list[str] = []

    def started(self, total: int) -> None:
        pass

    def handed(self, spec: TrialSpec) -> None:
        pass

    def trial(self, record: Record, *, reused: bool) -> None:
        (self.reused if reused else self.ran).append(record.key)

    def measuring(self, spec: TrialSpec) -> None:
        pass

    def latency(self, latency: Latency | LatencyFailure) -> None:
        pass

    def candidate(self, candidate: Candidate, best: Candidate | None) -> None:
        pass


class Clockwork(InlineExecutor):
    """Measures what the test says: 100 ms per unit of ``gain``."""

    def measure(self, job: Job, protocol: LatencyProtocol) -> Latency:
        spec = job.spec
        took = 100 * float(spec.params["gain"])
        timing = Timing(calls=30, p50=took, p90=took, p95=took, p99=None, intervals={})
        return Latency(
            key=spec.latency_key(), dataset=spec.dataset, category=spec.category, method=spec.method,
            params=spec.params, resources=spec.resources, profile=spec.profile, image_height=40, image_width=40,
            end_to_end=timing, predict=timing, first_call_ms=took, peak_memory_mb=1, flags=(), manifest={},
            code_version=job.code_version, finished=now(),
        )  # fmt: skip


def searched(
    prepared: Prepared,
    folder: Path,
    candidates: int,
    *,
    constraints: tuple[str, ...] = (),
    executor: type[InlineExecutor] = InlineExecutor,
) -> tuple[Search, Silent]:
    log = Silent()
    settings = Settings(prepared.plan.specs[0].metrics, parse(constraints, "--under"), candidates, 4, 0)
    search = Search(prepared.plan, prepared.space, settings, Store(folder), executor(), log)
    search.run(lambda: None)
    return search, log
