"""Colours and their names."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

COLOURS: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "red": (0.85, 0.08, 0.08),
        "green": (0.15, 0.65, 0.2),
        "blue": (0.12, 0.25, 0.85),
        "yellow": (0.9, 0.8, 0.1),
        "orange": (0.95, 0.5, 0.08),
        "purple": (0.5, 0.15, 0.6),
        "pink": (0.95, 0.5, 0.7),
        "cyan": (0.1, 0.75, 0.8),
        "white": (0.93, 0.93, 0.93),
        "black": (0.07, 0.07, 0.07),
        "gray": (0.45, 0.45, 0.47),
        "brown": (0.42, 0.25, 0.12),
    }
)
"""Red, green and blue in [0, 1] by name."""


def draw_colour(rng: np.random.Generator, *, without: frozenset[str] = frozenset()) -> str:
    """Draw the name of a colour that is not in `without`."""
    return str(rng.choice([name for name in COLOURS if name not in without]))


def shade(name: str, rng: np.random.Generator) -> Float[np.ndarray, "4"]:
    """Return an opaque variation of the named colour."""
    return np.append(np.clip(np.array(COLOURS[name]) * rng.uniform(0.8, 1.15) + rng.normal(0, 0.03, 3), 0, 1), 1.0)
