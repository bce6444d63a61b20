"""Score maps of MVTec AD 2's private images, in the folders that the owners' evaluation server takes.

<folder>/anomaly_images/<category>/test_private/000_regular.tiff              float16 [H, W], of the image's own size
<folder>/anomaly_images/<category>/test_private_mixed/000_mixed.tiff
<folder>/anomaly_images_thresholded/<category>/<part>/000_regular.png         0 or 255; the server can do without

Trials keep no maps and no fitted method, so each is fitted again, on the same images with the same seed. A category's
maps are standardised: the mean over all pixels of its validation maps is taken away, and what is left divided by their
standard deviation. This changes no ranking within the category, and keeps maps of every method within the range of
float16. The threshold is that of the owners' baseline, three standard deviations above the mean: 3.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pybench.backbones import feature_cache
from pybench.datasets.mvtec_ad_2 import MvtecAd2
from pybench.disk import atomic_files
from pybench.images import float16_tiff
from pybench.images.geometry import Geometry
from pybench.images.loading import DecodedImages
from pybench.planning.plan import Plan
from pybench.planning.trial_list import SpecList
from pybench.results.store import Store
from pybench.run.job_factory import JobFactory
from pybench.run.latencies import plan_of_run
from pybench.spec import TrialSpec
from pybench.trial.build_method import build_method
from pybench.trial.job import Job
from pybench.trial.predictions import predict_all
from pybench.trial.samples import load_samples, open_dataset
from pybench.types import InputError, Method, Sample

THRESHOLD = 3.0
_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class NormalPixels:
    """Mean and standard deviation of the pixels of normal images' maps."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, maps: Iterable[NDArray[np.float32]]) -> Self:
        """Those of all maps together, which are read one by one."""
        count, mean, squares = 0, 0.0, 0.0  # squares: the sum of squared distances from the mean
        for values in maps:
            difference = float(values.mean(dtype=np.float64)) - mean
            total = count + values.size
            squares += float(values.var(dtype=np.float64)) * values.size + difference**2 * count * values.size / total
            mean += difference * values.size / total
            count = total
        return cls(mean, (squares / count) ** 0.5)

    def standardised(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The values in standard deviations above the mean, at most what float16 can hold."""
        standard: NDArray[np.float32] = (values - np.float32(self.mean)) / np.float32(self.deviation or 1)
        return standard.clip(-_LARGEST, _LARGEST)


def plan_submission(store: Store, filters: dict[str, str], data_root: Path | None) -> Plan:
    """The trials of a run whose method is submitted: one method with one set of parameters and seeds, on MVTec AD 2.

    Raises:
        InputError: there is none, or more than one.
    """
    plan = plan_of_run(store, None, filters, data_root)
    specs = [spec for spec in plan.specs if spec.dataset == MvtecAd2.info.name]
    if not specs:
        raise InputError(
            f"{store.folder}: no trial on {MvtecAd2.info.name} ended well, and only its maps are submitted"
        )
    if any(spec.rto is not None or spec.evaluate_on != "test" for spec in specs):
        raise InputError(f"{store.folder}: its images are warped or its trials search parameters; run the plain suite")
    detectors = {spec.model_dump_json(exclude={"category", "label"}): spec for spec in specs}
    if len(detectors) > 1:
        found = "; ".join(dict.fromkeys(_name(spec) for spec in detectors.values()))
        raise InputError(
            f"{store.folder}: a submission holds the maps of one method, here are {len(detectors)} (they differ in"
            f" method, parameters or seeds): {found}. Choose with --filter, as in --filter method={specs[0].method}"
        )
    return replace(plan, specs=SpecList(specs))


def write_submission(
    plan: Plan, store: Store, folder: Path, *, thresholded: bool, written: Callable[[str, int], None]
) -> None:
    """Fit the method of each trial again and write the maps of its category.

    Args:
        plan: from ``plan_submission``.
        store: the run that it was made from.
        folder: empty, or not there yet.
        thresholded: write maps of 0 and 255, too.
        written: called after each category, with its name and the number of its maps.

    Raises:
        InputError: data or weights are missing or not those of the records, the method gives no maps, or a file cannot
            be written. What can be checked is checked before anything is fitted.
    """
    jobs = JobFactory(plan, store)
    jobs.check()
    for spec in plan.specs:
        dataset = _dataset(spec, plan.data_root)
        dataset.split(spec.category, "validation")
        dataset.private_samples(spec.category)
        record = store.record(spec)
        if record is None or not jobs.is_current(record):
            raise InputError(f"{spec.category}: the record is of other images, code or weights; run the suite again")
    for spec in plan.specs:
        written(spec.category, _write_category(jobs.make(spec), folder, thresholded))


def _write_category(job: Job, folder: Path, thresholded: bool) -> int:
    """Write the maps of a job's category and return how many they are."""
    dataset, category = _dataset(job.spec, job.data_root), job.spec.category
    method = _fitted(job)
    normal = NormalPixels.of(map_ for _, map_ in _maps(method, dataset.split(category, "validation"), job.batch_size))
    count = 0
    for part, samples in dataset.private_samples(category).items():
        for sample, map_ in _maps(method, samples, job.batch_size):
            standard, place = normal.standardised(map_), Path(category, part, sample.image.stem)
            tiff = float16_tiff.encode(standard.astype(np.float16))
            atomic_files.write(folder / "anomaly_images" / place.with_name(f"{place.name}.tiff"), tiff)
            if thresholded:
                png = _png(standard > THRESHOLD)
                atomic_files.write(folder / "anomaly_images_thresholded" / place.with_name(f"{place.name}.png"), png)
            count += 1
    return count


def _fitted(job: Job) -> Method:
    train = load_samples(job.spec, job.data_root).train
    with feature_cache.opened(lambda name, seconds: None):
        method = build_method(job)
        method.fit(DecodedImages(train))
    return method


def _maps(method: Method, samples: Sequence[Sample], batch_size: int) -> Iterator[tuple[Sample, NDArray[np.float32]]]:
    """Each sample with its map [H, W], of the image's own size; only those of one batch are in memory."""
    geometry = Geometry.of(method.params)
    for start in range(0, len(samples), batch_size):
        batch = samples[start : start + batch_size]
        predictions = predict_all(method, batch, batch_size)
        if predictions.maps is None:
            raise InputError(f"{method.name} gives no score maps, and the server evaluates nothing else")
        for sample, map_, shape in zip(batch, predictions.maps, predictions.shapes, strict=True):
            yield sample, geometry.map_to_image(map_, *shape)


def _png(mask: NDArray[np.bool_]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG")
    return buffer.getvalue()


def _dataset(spec: TrialSpec, data_root: Path | None) -> MvtecAd2:
    dataset = open_dataset(spec, data_root)
    assert isinstance(dataset, MvtecAd2)
    return dataset


def _name(spec: TrialSpec) -> str:
    return f"{spec.label or spec.method} (seed {spec.seed}, data seed {spec.data_seed}, {spec.profile})"
