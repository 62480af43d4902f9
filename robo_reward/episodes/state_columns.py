"""Which recorded columns a reward model may feel: slices of them under names that models know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.episodes.lerobot_format import Feature
from robo_reward.errors import DataSetError

_FORM = "{column: observation.state, first: 0, stop: 3}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateColumn:
    """Numbers of a recorded column, scaled to the unit that models expect: `scale · column[first:stop]`.

    Raises:
        ValueError: A slice that is empty or begins before 0, indices that are none, below 0 or beside a slice, or a
            scale of 0.
    """

    column: str
    first: int = 0
    stop: int | None = None
    """One past the last number; None = all from `first` on."""
    indices: tuple[int, ...] | None = None
    """Instead of a slice: which numbers, in the order that models expect; None = the slice.

    Of x y z qx qy qz qw, as ROS orders it, [0, 1, 2, 6, 3, 4, 5] is the x y z qw qx qy qz of a `tool_pose`.
    """
    scale: float = 1.0
    """SI units per unit of the recording."""

    def __post_init__(self) -> None:
        if self.first < 0 or (self.stop is not None and self.stop <= self.first):
            raise ValueError(f"a slice of '{self.column}' needs 0 <= first < stop, got [{self.first}, {self.stop})")
        if self.indices is not None and (not self.indices or min(self.indices) < 0):
            raise ValueError(f"indices of '{self.column}' must be one or more, from 0, got {list(self.indices)}")
        if self.indices is not None and (self.first, self.stop) != (0, None):
            raise ValueError(f"'{self.column}' is read by indices or by first and stop, not by both")
        if not (np.isfinite(self.scale) and self.scale != 0):
            raise ValueError(f"the scale of '{self.column}' must be finite and not 0, got {self.scale:g}")

    def read(self, values: np.ndarray) -> Float64[Tensor, "time size"]:
        """Take these numbers of every frame."""
        which = slice(self.first, self.stop) if self.indices is None else list(self.indices)
        return torch.from_numpy(values.reshape(len(values), -1)[:, which].astype(np.float64)) * self.scale


def chosen_state(features: Mapping[str, Feature], state: object, *, where: str) -> dict[str, StateColumn]:
    """Check a choice of state, name to fields of a `StateColumn`, against the columns that there are.

    Args:
        features: Of the data set, by column.
        state: As a person wrote it into a configuration.
        where: Names the data set in messages.

    Raises:
        DataSetError: A column that is not there, holds no numbers, is not for models to see, or is too short; fields
            that a `StateColumn` has not, or what is no mapping of them at all.
        ValueError: Values that a `StateColumn` does not allow.
    """
    if not isinstance(state, Mapping):
        raise DataSetError(f"state must map names to fields such as {_FORM}, got {state!r}")
    return {str(name): _checked(str(name), given, features, where) for name, given in state.items()}


def _checked(name: str, given: object, features: Mapping[str, Feature], where: str) -> StateColumn:
    choice = _read_choice(name, given)
    # ground truth and rewards are not for models to see: only what a robot observes
    felt = {key: feature for key, feature in features.items() if key.startswith("observation.") and _is_vector(feature)}
    if choice.column not in felt:
        raise DataSetError(
            f"{where}: no column '{choice.column}' for state '{name}'; there are {', '.join(felt) or 'none'}"
        )
    size = int(np.prod(felt[choice.column].shape))
    if choice.indices is not None and max(choice.indices) >= size:
        raise DataSetError(
            f"{where}: state '{name}' asks for the indices {list(choice.indices)} of '{choice.column}', "
            f"which has {size} numbers"
        )
    if (choice.stop or choice.first + 1) > size:
        raise DataSetError(
            f"{where}: state '{name}' asks for [{choice.first}, {choice.stop}) of '{choice.column}', "
            f"which has {size} numbers"
        )
    return choice


def _read_choice(name: str, given: object) -> StateColumn:
    if not isinstance(given, Mapping):
        raise DataSetError(f"state '{name}' must hold fields such as {_FORM}, got {given!r}")
    allowed = [field.name for field in fields(StateColumn)]
    if "column" not in given or set(given) - set(allowed):
        raise DataSetError(
            f"state '{name}' has the fields {sorted(given)}; allowed: {allowed}, of which column is needed"
        )
    if not isinstance(given["column"], str):
        raise DataSetError(f"state '{name}': column must be a name, got {given['column']!r}")
    for field, also in (("first", int), ("stop", int | None)):
        if not isinstance(given.get(field, 0), also) or isinstance(given.get(field), bool):
            raise DataSetError(f"state '{name}': {field} must be a whole number, got {given[field]!r}")
    if not isinstance(given.get("scale", 1.0), (int, float)) or isinstance(given.get("scale"), bool):
        raise DataSetError(f"state '{name}': scale must be a number, got {given['scale']!r}")
    indices = given.get("indices")
    if indices is not None and not (isinstance(indices, Sequence) and all(type(each) is int for each in indices)):
        raise DataSetError(f"state '{name}': indices must be a list of whole numbers, got {indices!r}")
    return StateColumn(**{**given, "indices": None if indices is None else tuple(indices)})


def _is_vector(feature: Feature) -> bool:
    return not feature.is_picture and feature.dtype not in ("string", "bool")
