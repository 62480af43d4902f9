"""Policies by name: checkpoints of learners, and scripted ones as functions of the observation. No ROS."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import yaml

Policy = Callable[[Any], np.ndarray]
"""From an observation to an action in [-1, 1]."""


def load_policy(name: str, arguments: Sequence[str] = ()) -> Policy:
    """Give the policy that a name stands for.

    Args:
        name: `FILE.zip`, a checkpoint; or `module:function`, which makes a policy out of the arguments.
        arguments: As `name=value` in YAML; none for a checkpoint.

    Raises:
        ValueError: No such file, module or function; arguments that are none.
    """
    if name.endswith(".zip"):
        return _checkpoint(Path(name))
    module, colon, function = name.partition(":")
    if not colon:
        raise ValueError(f"policy must be FILE.zip or module:function, got '{name}'")
    try:
        make = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"policy={name} cannot be imported: {error}") from error
    return make(**dict(map(_argument, arguments)))


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"policy_arguments must be name=value, got '{text}'")
    return name, yaml.safe_load(value)


def _checkpoint(file: Path) -> Policy:
    if not file.is_file():
        raise ValueError(f"policy={file}: there is no such file")
    from robo_reward.rl.saved_policy import load_saved_policy  # noqa: PLC0415  (learners are an extra)

    saved = load_saved_policy(file)
    return lambda observation: saved.predict(observation, deterministic=True)[0]
