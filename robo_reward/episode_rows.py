"""What is remembered of several episodes at once, one row an episode: taken apart, put together, compared."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

Layout = tuple[object, ...]
"""What two memories must have in common to be put together."""


def layout_of(remembered: Any, num_rows: int) -> Layout | None:
    """Give what memories that can be put together agree on; None where rows cannot be told apart.

    Rows are told apart where everything that is remembered is a tensor with one entry a row along its first axis, in
    dataclasses and mappings of any depth, or a whole number, text or texts that all rows share. A tuple of anything
    else holds an entry a row, each in a form of its own.
    """
    texts = isinstance(remembered, tuple) and all(isinstance(each, str) for each in remembered)
    if remembered is None or texts or isinstance(remembered, str | int):
        return ("same", remembered)
    if isinstance(remembered, Tensor):
        if remembered.ndim == 0 or remembered.shape[0] != num_rows:
            return None
        return ("tensor", remembered.dtype, tuple(remembered.shape[1:]))
    parts = _parts(remembered)
    if parts is None:
        return None
    inner = {name: layout_of(part, num_rows) for name, part in parts.items()}
    if any(each is None for each in inner.values()):
        return None
    return (type(remembered), *inner.items())


def take_rows(remembered: Any, rows: Sequence[int]) -> Any:
    """Give what is remembered of these rows, in this order."""
    if isinstance(remembered, Tensor):
        return remembered[rows[0] : rows[0] + 1] if len(rows) == 1 else remembered[list(rows)]
    parts = _parts(remembered)
    if parts is None:
        return remembered
    return _rebuilt(remembered, {name: take_rows(part, rows) for name, part in parts.items()})


def join_rows(remembered: Sequence[Any]) -> Any:
    """Put memories of one layout together, their rows one after the other."""
    first = remembered[0]
    if len(remembered) == 1:
        return first
    if isinstance(first, Tensor):
        return torch.cat(list(remembered))
    parts = _parts(first)
    if parts is None:
        return first
    every = [_parts(each) or {} for each in remembered]
    return _rebuilt(first, {name: join_rows([each[name] for each in every]) for name in parts})


def _parts(remembered: Any) -> dict[Any, Any] | None:
    if is_dataclass(remembered) and not isinstance(remembered, type):
        return {each.name: getattr(remembered, each.name) for each in fields(remembered)}
    return dict(remembered) if isinstance(remembered, Mapping) else None


def _rebuilt(like: Any, parts: dict[Any, Any]) -> Any:
    return parts if isinstance(like, Mapping) else type(like)(**parts)
