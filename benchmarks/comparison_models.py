"""Who is compared: every reward model that demonstrations can teach, as configured, and the baselines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from baselines import LpipsDistance, RidgeOfTime, TimeIndex

from robo_reward.cli.build import build_with_encoder
from robo_reward.perception.encoder import ImageEncoder

CONFIGS = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Contender:
    """One row of the table."""

    name: str
    label: str
    page: str | None
    """Its page beside the comparison; None = a baseline."""
    looks_through: str
    """Kind of encoder: map, pooled, text, lpips."""
    build: Callable[[ImageEncoder, str], Any]
    """From the encoder and the instruction to a model that can be fitted."""
    suites: tuple[str, ...] = ("robo_dopamine", "g1", "simulated")

    @property
    def is_baseline(self) -> bool:
        """Whether the others must beat it."""
        return self.page is None


def contenders() -> list[Contender]:
    """All of them, in the order of the table."""
    return [
        _learnt("process", "process head", "process"),
        _learnt("trajectory_match", "trajectory match", "trajectory_match"),
        _learnt("perceptual_steps", "perceptual steps, Gaussian", "perceptual_steps"),
        _learnt("perceptual_steps", "perceptual steps, linear", "perceptual_steps", classifier="linear"),
        _learnt("preference", "preference, pairs from time order", "preference"),
        Contender(
            name="prompt_similarity",
            label="prompt similarity, readout fitted",
            page="../relabel.md",
            looks_through="text",
            build=lambda encoder, text: build_with_encoder(_config("prompt_similarity") | _prompts()[text], encoder),
            suites=("simulated",),
        ),
        _baseline("ridge", "ridge regression of time", "pooled", RidgeOfTime),
        _baseline("lpips", "LPIPS distance to the last frame", "lpips", LpipsDistance),
        _baseline("time_index", "clock over mean duration", "map", TimeIndex),
    ]


def _learnt(name: str, label: str, page: str, **settings: Any) -> Contender:
    def build(encoder: ImageEncoder, instruction: str) -> Any:
        own = _config(name) | settings
        filled = {key: instruction if value == "{instruction}" else value for key, value in own.items()}
        return build_with_encoder(filled, encoder)

    full = "_".join([name, *(str(value) for value in settings.values())])
    return Contender(name=full, label=label, page=f"{page}.md", looks_through="map", build=build)


def _baseline(name: str, label: str, looks_through: str, model: Callable[[ImageEncoder], Any]) -> Contender:
    def build(encoder: ImageEncoder, instruction: str) -> Any:
        return model(encoder)

    return Contender(name=name, label=label, page=None, looks_through=looks_through, build=build)


def _config(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONFIGS / f"reward_model/{name}.yaml").read_text())


def _prompts() -> Mapping[str, dict[str, Any]]:
    return yaml.safe_load((CONFIGS / "prompts/meta_world.yaml").read_text())["tasks"]
