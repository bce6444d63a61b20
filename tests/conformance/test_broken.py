"""The checks tell: a small method passes all of them, and what is broken fails the check that is meant for it."""

from __future__ import annotations

import pytest

from pybench.types import Method
from tests.conformance import broken, checks

PLANT = checks.plant()
COMPARISONS = {
    "finds_the_planted_defect",
    "depends_on_the_images_and_the_seed_alone",
    "does_not_depend_on_the_batch",
    "says_the_same_later",
    "keeps_its_state",
    "takes_images_without_contrast",
}
FAILS: dict[type[Method], set[str]] = {
    broken.Good: set(),
    broken.ConstantScores: {"tells_images_apart", "finds_the_planted_defect"},
    broken.ScoresNormality: {"finds_the_planted_defect"},
    broken.NanWithoutContrast: {"takes_images_without_contrast"},
    broken.NanAtTheBorder: {"gives_finite_scores_and_maps_of_its_input_size"} | COMPARISONS,  # NaN equals nothing
    broken.CoarseMaps: {"gives_finite_scores_and_maps_of_its_input_size"},
    broken.OneSizeOnly: {"takes_images_of_any_size"},
    broken.NormalisesByTheBatch: {"does_not_depend_on_the_batch"},
    broken.PeeksAtThePlace: {"does_not_depend_on_the_batch"},
    broken.PeeksAtTheOrder: {"does_not_depend_on_the_batch", "says_the_same_later", "keeps_its_state"},
    broken.PeeksAtTheFiles: {"depends_on_the_images_and_the_seed_alone"},
    broken.LearnsWhileTesting: {"says_the_same_later", "does_not_depend_on_the_batch"},
    broken.SharesItsState: {"says_the_same_later"},
    broken.LosesItsState: {"keeps_its_state"},
    broken.SavesCode: {"keeps_its_state"},
    broken.ChangesItsInput: {"leaves_its_input_alone"},
    broken.IgnoresTheSeed: {"differs_between_seeds_where_it_says_so"},
    broken.DrawsUnseeded: {"depends_on_the_images_and_the_seed_alone"},
    broken.ShowsWhatIsNoPicture: {"gives_artefacts_that_can_be_kept"},
}


@pytest.mark.parametrize("cls", FAILS, ids=lambda cls: cls.__name__)
def test_the_right_check_fails(cls: type[Method]) -> None:
    subject = checks.Subject(cls, cls.Params())
    failed = {check.__name__ for check in checks.CHECKS if not passes(check, subject)}
    assert failed == FAILS[cls]


def test_every_check_fails_for_something() -> None:
    assert set().union(*FAILS.values()) == {check.__name__ for check in checks.CHECKS}


def passes(check: checks.Check, subject: checks.Subject) -> bool:
    """Whether a check finds nothing; a method that raises fails it too."""
    try:
        check(subject, PLANT)
    except Exception:
        return False
    return True
