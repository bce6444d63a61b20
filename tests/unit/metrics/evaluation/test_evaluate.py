"""Values with the reasons of those that are missing, and metrics per defect type."""

from __future__ import annotations

from pybench.metrics import image_ap, image_auroc, pixel_auroc
from pybench.metrics.evaluation.evaluate import by_defect_type, evaluate
from tests.unit.metrics import oracles


def test_evaluate_gives_values_and_the_reasons_of_those_that_have_none() -> None:
    metrics = [image_auroc.METRIC, pixel_auroc.METRIC]
    values, reasons = evaluate(oracles.image_evaluation([1, 2], [3]), metrics)
    assert values == {"image_auroc": 1.0, "pixel_auroc": None}
    assert reasons == {"pixel_auroc": "the method gives no score maps"}


def test_a_test_set_of_one_class_has_reasons_only() -> None:
    values, reasons = evaluate(oracles.image_evaluation([1, 2], []), [image_auroc.METRIC, image_ap.METRIC])
    assert values == {"image_auroc": None, "image_ap": None}
    assert set(reasons.values()) == {"the test set has no anomalous image"}


def test_each_defect_type_meets_all_good_images() -> None:
    evaluation = oracles.random_evaluation(seed=9)
    assert evaluation.maps is not None
    values = by_defect_type(evaluation)
    assert list(values) == ["hole", "scratch"]
    for defect_type, metrics in values.items():
        chosen = [i for i, t in enumerate(evaluation.defect_types) if t in ("good", defect_type)]
        alone = oracles.pixel_evaluation([evaluation.masks[i] for i in chosen], [evaluation.maps[i] for i in chosen])
        wanted = ("image_auroc", "pixel_auroc", "aupro_30", "auspro_05")
        assert metrics == {name: oracles.compute(name, alone) for name in wanted}
    assert values["hole"] != values["scratch"]


def test_a_defect_type_without_masks_has_no_pixel_metrics() -> None:
    values = by_defect_type(oracles.image_evaluation([1, 2], [3]))
    assert values == {"scratch": {"image_auroc": 1.0, "pixel_auroc": None, "aupro_30": None, "auspro_05": None}}


def test_only_good_images_have_no_defect_types() -> None:
    assert by_defect_type(oracles.image_evaluation([1, 2], [])) == {}
