"""From specs to jobs: what a trial's result depends on beside its spec, computed once for all that share it."""

from __future__ import annotations

from pybench import registry
from pybench.backbones import feature_cache
from pybench.images.loading import fingerprint
from pybench.planning.plan import Plan
from pybench.records import Record
from pybench.results.store import Store
from pybench.run.representatives import Representatives
from pybench.spec import TrialSpec
from pybench.trial import fitted_states
from pybench.trial.build_method import class_and_parameters
from pybench.trial.code_version import code_version
from pybench.trial.job import Job
from pybench.trial.samples import check_samples, load_samples
from pybench.types import Dataset, InputError


class JobFactory:
    """Makes jobs from specs; what several specs have in common is computed once.

    Args:
        plan: whose specs are made into jobs.
        store: where the run's records and checkpoints lie.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan, self.store = plan, store
        self._fingerprints: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._assets: dict[str, dict[str, str]] = {}

    def check(self) -> None:
        """Check that weights, data and settings can be used, before anything runs; generated data is made later.

        Raises:
            InputError: something cannot be used.
        """
        feature_cache.FOLDER.limit()
        fitted_states.FOLDER.limit()
        for spec in self.plan.specs.of_each_method():
            self._assets_of(spec)
        for spec in {_place_of_data(spec): spec for spec in self.plan.specs.of_each_category()}.values():
            cls: type[Dataset] = registry.load("dataset", spec.dataset)
            if not cls.generated:
                check_samples(spec, self.plan.data_root)

    def representatives(self) -> list[TrialSpec]:
        """The trials of the plan that are measured for all that share their latency."""
        found = Representatives()
        for spec in self.plan.specs:
            found.add(spec, self._train_images(spec))
        return found.specs()

    def is_current(self, record: Record) -> bool:
        """Whether a trial need not run again: its record ended well, on the same data, code and weights."""
        inputs = (record.fingerprint, record.code_version, record.assets)
        return record.status in ("ok", "skipped") and inputs == self._inputs(record.spec)

    def make(self, spec: TrialSpec) -> Job:
        """The job of a spec, with the fingerprint of its data.

        Raises:
            InputError: data or weights cannot be used.
        """
        inputs = self._inputs(spec)
        place, limits = self.store.progress_folder(spec.key(), *inputs), self.plan.limits
        return Job(
            spec,
            self.plan.data_root,
            registry.plugin_folders(),
            *inputs,
            progress_folder=place.absolute(),
            minutes=limits.minutes,
            gpus=limits.gpus,
            memory_gb=limits.memory_gb,
            keeps_state=self.plan.latency is not None,
        )

    def _inputs(self, spec: TrialSpec) -> tuple[str, str, dict[str, str]]:
        """Fingerprint of the data, code version and weights."""
        identity = _data_identity(spec)
        if identity not in self._fingerprints:
            samples = load_samples(spec, self.plan.data_root)
            self._fingerprints[identity] = fingerprint([*samples.train, *samples.test])
        return self._fingerprints[identity], code_version(spec), self._assets_of(spec)

    def _train_images(self, spec: TrialSpec) -> int:
        identity = _data_identity(spec)
        if identity not in self._counts:
            self._counts[identity] = len(load_samples(spec, self.plan.data_root).train)
        return self._counts[identity]

    def _assets_of(self, spec: TrialSpec) -> dict[str, str]:
        identity = spec.model_dump_json(include={"method", "params"})
        if identity not in self._assets:
            cls, params = class_and_parameters(spec)
            try:
                self._assets[identity] = cls.prepare(params)
            except InputError as error:
                raise InputError(f"{spec.method}: {error}") from error
        return self._assets[identity]


def _place_of_data(spec: TrialSpec) -> str:
    """Equal for specs whose images lie in the same folders. A suite may name a dataset twice, with other options."""
    return spec.model_dump_json(include={"dataset", "category", "dataset_options"})


def _data_identity(spec: TrialSpec) -> str:
    """Equal for specs with the same images."""
    fields = {"dataset", "category", "dataset_options", "rto", "data_seed", "protocol", "evaluate_on"}
    return spec.model_dump_json(include=fields)
