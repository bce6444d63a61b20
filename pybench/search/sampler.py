"""The sampler: proposes parameters and learns from their results (Optuna's TPE, seeded)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import TrialState

from pybench.planning.search_space import Space
from pybench.search.candidate import Candidate
from pybench.search.ranking import Ranking
from pybench.search.settings import Settings

_RANDOM_CANDIDATES = 8  # before the sampler uses what it has learnt


class Sampler:
    """Proposes candidates; the same seed and the same history give the same proposals."""

    def __init__(self, space: Space, settings: Settings, ranking: Ranking) -> None:
        self._space, self._settings = space, settings
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = TPESampler(seed=settings.seed, n_startup_trials=_RANDOM_CANDIDATES, constant_liar=True)
        up, down = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
        directions = [up if ranking.higher_is_better[name] else down for name in settings.metrics]
        directions += [down for _ in settings.constraints]  # so that the front shows what latency and memory buy
        self._study = optuna.create_study(sampler=sampler, directions=directions)
        self._trials: dict[int, optuna.Trial] = {}  # by the candidate's number

    def propose(self, number: int) -> dict[str, Any]:
        """The searched parameters of candidate ``number``."""
        trial = self._trials[number] = self._study.ask()
        return {name: part.draw(name, trial) for name, part in self._space.items()}

    def propose_defaults(self, number: int, params: Mapping[str, Any]) -> dict[str, Any]:
        """The searched parameters of ``params``; the sampler learns from them if they lie in its space."""
        changes = {name: params[name] for name in self._space}
        if all(changes[name] in part for name, part in self._space.items()):
            self._study.enqueue_trial({name: part.encoded(changes[name]) for name, part in self._space.items()})
            self.propose(number)
        return changes

    def learn(self, candidate: Candidate) -> None:
        """Learn from a candidate that was proposed here."""
        trial = self._trials.pop(candidate.number, None)
        if trial is None:
            return
        if candidate.state == "complete":
            for constraint in self._settings.constraints:
                trial.set_constraint(str(constraint), constraint.excess(candidate.measured))
            measured = [candidate.measured[constraint.quantity] for constraint in self._settings.constraints]
            self._study.tell(trial, [*(candidate.values[name] for name in self._settings.metrics), *measured])
        elif candidate.state == "stopped":
            if len(self._study.directions) == 1:  # Optuna takes intermediate values of single objectives only
                for step, value in enumerate(candidate.rungs):
                    trial.report(value, step)
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, state=TrialState.FAIL)
