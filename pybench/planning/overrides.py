"""The settings that a user gives on the command line (``--set KEY=VALUE``), as the last word on a suite's values."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from pybench.planning import strict_yaml
from pybench.registry import unknown
from pybench.types import InputError


class Overrides:
    """The ``--set`` values of a run by dotted key. Each part of a plan takes its own; a key that nobody takes is an
    error.

    Args:
        given: dotted key -> the value as YAML text.
    """

    def __init__(self, given: dict[str, str]) -> None:
        self.values = {key: strict_yaml.scalar(text) for key, text in given.items()}
        self.used: set[str] = set()
        self.known: set[str] = {"seeds", "data_seeds"}

    def section(self, name: str, model: type[strict_yaml.Model], content: dict[str, Any]) -> strict_yaml.Model:
        """``content`` with the values of ``name.KEY`` in place of its own.

        Raises:
            InputError: a value that the model refuses.
        """
        self.known.update(f"{name}.{field}" for field in model.model_fields)
        own = self._take(name)
        try:
            return strict_yaml.validate(model, {**content, **own})
        except ValidationError as error:
            raise InputError(
                "\n".join(
                    f"{name}.{strict_yaml.dotted(path)}: {text}" for path, text in strict_yaml.problems(error, model)
                )
            ) from error

    def method(self, name: str, model: type[BaseModel]) -> dict[str, Any]:
        """The values of ``NAME.KEY``, and of ``params.KEY`` where this method has such a parameter."""
        self.known.update(f"{prefix}.{field}" for field in model.model_fields for prefix in ("params", name))
        shared = {key: value for key, value in self._of("params").items() if key in model.model_fields}
        self.used.update(f"params.{key}" for key in shared)
        return {**shared, **self._take(name)}

    def seeds(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """The list of seeds that is set under this name, else the default.

        Raises:
            InputError: the value is neither a seed, in [0, 2^63), nor a list of seeds.
        """
        if name not in self.values:
            return default
        self.used.add(name)
        value = self.values[name]
        seeds = value if isinstance(value, list) else [value]
        if not seeds or not all(type(seed) is int and 0 <= seed < 2**63 for seed in seeds):
            raise InputError(
                f"--set {name}={value}: expected a whole number or a list of them, as in {name}=[0,1,2], "
                "each at least 0 and below 2^63"
            )
        return tuple(seeds)

    def leaves_out(self, name: str) -> bool:
        """Whether the whole section is set to null.

        Raises:
            InputError: it is set to another value.
        """
        self.known.add(name)
        if name not in self.values:
            return False
        self.used.add(name)
        if self.values[name] is not None:
            raise InputError(
                f"--set {name}={self.values[name]}: expected null, which leaves it out, or {name}.KEY=VALUE"
            )
        return True

    def refuse_unused(self) -> None:
        """Check that every key was taken.

        Raises:
            InputError: one was not; the message names the first and the nearest known key.
        """
        for key in self.values:
            if key not in self.used:
                raise InputError(f"--set {key}: {unknown('key', key, sorted(self.known))}")

    def _of(self, prefix: str) -> dict[str, Any]:
        start = f"{prefix}."
        return {key.removeprefix(start): value for key, value in self.values.items() if key.startswith(start)}

    def _take(self, prefix: str) -> dict[str, Any]:
        own = self._of(prefix)
        self.used.update(f"{prefix}.{key}" for key in own)
        return own
