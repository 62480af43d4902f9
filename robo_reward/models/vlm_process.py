"""Progress integrated from relative hops that somebody is asked for, such as a vision-language model."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final, get_args, runtime_checkable

import torch
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.models.hop_integration import HopReadings, Integration, check_references, integrate
from robo_reward.models.relative_hop import GOAL, START, HopSource, follow_hop
from robo_reward.models.vlm_hops import VlmHops
from robo_reward.models.vlm_readings import views_at
from robo_reward.perception.vlm import Picture
from robo_reward.reward_model import Estimate

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "incremental": ("incremental",),
    "forward": ("forward",),
    "backward": ("backward",),
    "mean": ("incremental", "forward", "backward"),
    "consistent": ("incremental", "forward", "backward"),
}
_REFERENCE = {"incremental": START, "forward": START, "backward": GOAL}
"""What each hop is told from: the incremental one's first is from the start of the task."""


@runtime_checkable
class ReferencedHops(HopSource[Clip], Protocol):
    """A source of hops that tells which reference pictures it has."""

    @property
    def references(self) -> frozenset[int]:
        """`START` and `GOAL`, as far as there are pictures of them."""
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RowMemory:
    """What the model carries along one episode."""

    pictures: Mapping[str, Picture] | None = None
    """Of the last judged frame that any camera saw: camera name to picture."""
    progress: float = math.nan
    """The last known; NaN before the first."""
    variance: float = math.nan
    lost: int = 0
    """Judged frames since then about which it abstained: steps that no hop tells of."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class VlmProcessMemory:
    """What the model carries along a batch of episodes."""

    num_frames: int
    """Frames since the episodes began."""
    rows: tuple[RowMemory, ...]


@final
class VlmProcess:
    """Asks for relative hops at every `stride`-th frame and integrates them to progress; holds it in between.

    Of a judged frame the hops that the integration needs are asked together, at most three: from the judged frame
    before it that any camera saw (the first one: from the start picture), from the start and from the goal. Where one
    of them has no answer it abstains, and goes on from the last known progress; what was done in such a step is lost to
    `incremental`, and counts as doubt, while `mean` and `consistent` find back. Frames in between have progress and
    spread of the last known judged frame; those that no camera saw are abstentions.

        spread² = mean over the asked hops c of  σ_c² + (Φ_c − Φ*)²
        σ_F = σ_B = σ_hop,   σ_I² = (1 − |H|)² (spread²_last + lost · σ_hop²) + ((1 − Φ*_last) or Φ*_last)² σ_hop²

    with Φ_I, Φ_F, Φ_B the progress by each hop alone: what they disagree about is doubtful.

    Args:
        source: Who is asked, such as `VlmHops`.
        integration: incremental, forward, backward, mean or consistent; see `integrate`.
        stride: Frames from one judged frame to the next, counted from the episode's first; ≥ 1.

    Raises:
        ValueError: An unknown integration, a stride below 1, a source without a reference that is needed.

    Source:
        Tan et al. 2025 (Robo-Dopamine, 2512.23703); the spread is this project's.
    """

    def __init__(self, source: ReferencedHops, *, integration: Integration = "mean", stride: int = 10) -> None:
        if integration not in _NEEDED:
            raise ValueError(f"integration must be one of {', '.join(get_args(Integration))}; got '{integration}'")
        if stride < 1:
            raise ValueError(f"stride must be >= 1, got {stride}")
        missing = {_REFERENCE[name] for name in _NEEDED[integration]} - source.references
        if missing:
            names = " and ".join("start" if each == START else "goal" for each in sorted(missing, reverse=True))
            raise ValueError(f"integration '{integration}' needs a picture of the {names}; the hops' source has none")
        self._source, self._stride = source, stride
        self._integration: Integration = integration
        self._checked = not (integration != "incremental" and {START, GOAL} <= source.references)

    @property
    def context(self) -> None:
        """All frames since the episode began, by way of its memory."""
        return None

    @property
    def version(self) -> str:
        """Identifies the source, the integration and the stride."""
        text = json.dumps(["VlmProcess", self._source.version, self._integration, self._stride])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of an episode."""
        return self.resume(clip, None)[0]

    def resume(self, seen: Clip, memory: VlmProcessMemory | None) -> tuple[Estimate, VlmProcessMemory]:
        """Estimate the next frames of an episode; see `RecurrentRewardModel`.

        Raises:
            ValueError: The goal picture looks like the start picture; a camera whose frames change their size.
        """
        self._check_references(seen)
        batch, time = seen.stamp.shape
        known = VlmProcessMemory(num_frames=0, rows=(RowMemory(),) * batch) if memory is None else memory
        judged = [t for t in range(time) if (known.num_frames + t) % self._stride == 0]
        told = [self._row(seen, row, judged, before) for row, before in enumerate(known.rows)]
        progress, variance = torch.tensor([found for found, _ in told], dtype=torch.float64).unbind(dim=-1)
        estimate = Estimate(progress=progress.float(), spread=variance.sqrt().float())
        return estimate, VlmProcessMemory(num_frames=known.num_frames + time, rows=tuple(last for _, last in told))

    def _check_references(self, seen: Clip) -> None:
        """Ask once how far the goal is from the start; a source that abstains is asked again another time."""
        if not self._checked:
            hop = float(self._source.hops(_first(seen), torch.tensor([START]), torch.tensor([GOAL])).value[0, 0])
            check_references(hop)
            self._checked = not math.isnan(hop)

    def _row(
        self, seen: Clip, row: int, judged: Sequence[int], memory: RowMemory
    ) -> tuple[list[tuple[float, float]], RowMemory]:
        """Give progress and variance of each frame of one episode, and what to remember of it."""
        moments = {t: views for t in judged if (views := views_at(seen, row, t))}
        answers = dict(zip(moments, self._ask(memory.pictures, list(moments.values())), strict=True))
        blind = ~seen.present[row].any(dim=-1)
        found, known, lost = [], (memory.progress, memory.variance), memory.lost
        for t in range(seen.stamp.shape[1]):
            now = self._judged(answers[t], *known, lost=lost) if t in answers else known
            if t in answers:
                known, lost = (known, lost + 1) if math.isnan(now[0]) else (now, 0)
            found.append((math.nan, math.nan) if bool(blind[t]) else now)
        # copies: a slice would keep the whole piece alive
        shown = [{camera: each.clone() for camera, each in views.items()} for views in list(moments.values())[-1:]]
        pictures = shown[0] if shown else memory.pictures
        return found, RowMemory(pictures=pictures, progress=known[0], variance=known[1], lost=lost)

    def _ask(
        self, before: Mapping[str, Picture] | None, moments: Sequence[Mapping[str, Picture]]
    ) -> list[dict[str, tuple[float, float]]]:
        """Give value and spread of the needed hops to each moment; all are asked at once, none of them twice."""
        shown = [*([] if before is None else [before]), *moments]
        names = _NEEDED[self._integration]
        wanted = [
            {name: (_REFERENCE[name] if name != "incremental" or after == 0 else after - 1, after) for name in names}
            for after in range(len(shown) - len(moments), len(shown))
        ]
        pairs = list(dict.fromkeys(pair for pairs in wanted for pair in pairs.values()))
        if not pairs:
            return []
        hops = self._source.hops(_clip_of(shown), *torch.tensor(pairs).unbind(dim=1))
        told = dict(zip(pairs, zip(hops.value[0].tolist(), hops.spread[0].tolist(), strict=True), strict=True))
        return [{name: told[pair] for name, pair in each.items()} for each in wanted]

    def _judged(
        self, told: Mapping[str, tuple[float, float]], last: float, variance: float, *, lost: int
    ) -> tuple[float, float]:
        """Give progress and variance of a judged frame; NaN where a needed hop is."""
        last, variance = (0.0, 0.0) if math.isnan(last) else (last, variance)
        hop = {name: _number(told[name][0] if name in told else math.nan) for name in _REFERENCE}
        begin = _number(last)
        now = integrate(HopReadings(**hop), self._integration, begin=begin[0])
        alone = {
            "incremental": follow_hop(begin, hop["incremental"]),
            "forward": hop["forward"].clamp(0, 1),
            "backward": (1 + hop["backward"]).clamp(0, 1),
        }
        parts = []
        for name, (value, spread) in told.items():
            own = spread**2
            if name == "incremental":
                left = 1 - last if value >= 0 else last
                own = (1 - abs(value)) ** 2 * (variance + lost * spread**2) + (left * spread) ** 2
            parts.append(own + float(alone[name] - now) ** 2)
        return float(now), sum(parts) / len(parts)


def _first(clip: Clip) -> Clip:
    """One frame of one episode: what a source is shown that is asked about its references alone."""
    views = {camera: frames[:1, :1] for camera, frames in clip.views.items()}
    return Clip(views=views, present=clip.present[:1, :1], stamp=clip.stamp[:1, :1])


def _clip_of(moments: Sequence[Mapping[str, Picture]]) -> Clip:
    """Put moments one after the other; a camera that saw nothing at one of them is absent there."""
    cameras = dict.fromkeys(camera for moment in moments for camera in moment)
    views = {camera: _frames(camera, [moment.get(camera) for moment in moments]) for camera in cameras}
    present = torch.tensor([[[camera in moment for camera in cameras] for moment in moments]])
    return Clip(views=views, present=present, stamp=torch.arange(len(moments), dtype=torch.float64)[None])


def _frames(camera: str, pictures: Sequence[Picture | None]) -> Tensor:
    sizes = {tuple(each.shape): each for each in pictures if each is not None}
    if len(sizes) != 1:
        raise ValueError(f"camera '{camera}' changed the size of its frames: {sorted(sizes)}")
    (some,) = sizes.values()
    return torch.stack([torch.zeros_like(some) if each is None else each for each in pictures])[None]


def _number(value: float) -> Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


_: type[ReferencedHops] = VlmHops  # the type checker holds the protocol
