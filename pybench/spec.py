"""What a trial is: its data, method, parameters, seeds and protocol, as plain values from which its key is computed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pybench.hashing import json_hash


class Protocol(BaseModel):
    """How a trial is evaluated; part of its key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    evaluate_at: Literal["input", "image"] = Field(
        "input", description="size at which maps meet masks: the model's input, or each image's own"
    )
    train_images: int | None = Field(
        None, ge=2, description="at most this many training images, drawn by the data seed; none takes all"
    )
    test_images: int | None = Field(
        None, ge=2, description="at most this many test images, drawn evenly over defect types; none takes all"
    )
    threshold_folds: int = Field(
        0, ge=0, le=10, description="folds of held-out normal images for overkill and escape rates; 0 leaves them out"
    )


class RtoOptions(BaseModel):
    """Random rotation and crop of the images (MAD-RTO, as in LocalOcc's paper), which gives no ranges: a suite must
    state them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rotation: float = Field(
        ..., ge=0, le=180, description="angles are drawn uniformly from [-rotation, rotation] degrees"
    )
    crop: float = Field(..., gt=0, le=1, description="the crop's side is drawn uniformly from [crop, 1] of the image's")
    fill: Literal["edge", "reflect", "black"] = Field(
        "edge", description="what fills the corners that a rotation brings in"
    )


class Resources(BaseModel):
    """What a trial runs with; part of its key, because rounding, and so the results, depend on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = Field(1, ge=1, le=1024)
    backend: str = Field("auto", description="native-op backend to force; auto takes the best that can run")


class TrialSpec(BaseModel):
    """One trial, made of plain values that can be sent to any worker. ``label`` is the name that its suite gives the
    method.

    ``evaluate_on`` names the images that are predicted. ``test``: the test set. ``validation``: a validation set, which
    ``pybench.trial.validation`` makes from normal images alone. ``oracle``: the test set, where its labels are used to
    choose hyper-parameters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    suite: str
    dataset: str
    category: str
    dataset_options: dict[str, Any] = {}
    rto: RtoOptions | None = None
    data_seed: int = 0
    method: str
    label: str = ""
    params: dict[str, Any]
    seed: int = 0
    profile: str
    metrics: tuple[str, ...]
    protocol: Protocol = Protocol()
    resources: Resources = Resources()
    evaluate_on: Literal["test", "validation", "oracle"] = "test"

    def key(self) -> str:
        """Hash of the spec: the file name of its record. It does not depend on the names that a suite gives."""
        return json_hash(self.model_dump(mode="json", exclude={"suite", "label", *self._not_in_keys}))

    def latency_key(self) -> str:
        """Trials with the same latency key share one latency measurement."""
        fields = {"dataset", "dataset_options", "rto", "method", "params", "profile", "protocol", "resources"}
        return json_hash(self.model_dump(mode="json", include={*fields, "evaluate_on"} - self._not_in_keys))

    @property
    def _not_in_keys(self) -> set[str]:
        """Fields that were added after the first records were written. While such a field has its default, it is left
        out of the keys, so that older records keep theirs."""
        return {"evaluate_on"} if self.evaluate_on == "test" else set()
