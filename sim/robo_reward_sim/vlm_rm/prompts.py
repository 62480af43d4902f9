"""What VLM-RM asks of each environment, word by word."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A goal and a baseline, as sentences.

    Raises:
        ValueError: An empty sentence.
    """

    goal: str
    baseline: str

    def __post_init__(self) -> None:
        if not self.goal or not self.baseline:
            raise ValueError(f"a prompt needs a goal and a baseline, got {self.goal!r} and {self.baseline!r}")


_POSES = {
    "kneeling": "a humanoid robot kneeling",
    "lotus": "a humanoid robot seated down, meditating in the lotus position",
    "standing_up": "a humanoid robot standing up",
    "arms_raised": "a humanoid robot standing up, with both arms raised",
    "splits": "a humanoid robot practicing gymnastics, doing the side splits",
    "hands_on_hips": "a humanoid robot standing up with hands on hips",
    "arms_crossed": "a humanoid robot standing up, with its arms crossed",
    "one_leg": "a humanoid robot standing up on one leg",
}

PROMPTS: Mapping[str, Prompt] = MappingProxyType(
    {
        "cartpole": Prompt(goal="pole vertically upright on top of the cart", baseline="pole and cart"),
        "mountaincar": Prompt(
            goal="a car at the peak of the mountain, next to the yellow flag", baseline="a car in the mountain"
        ),
    }
    | {f"humanoid_{name}": Prompt(goal=words, baseline="a humanoid robot") for name, words in _POSES.items()}
)
"""Table 3 of VLM-RM (2310.12921), by the name of the experiment."""
