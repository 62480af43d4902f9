"""Relative hops told by a vision-language model."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.models.relative_hop import GOAL, START, Hops, HopSource
from robo_reward.models.vlm_readings import parse_percentage, views_at
from robo_reward.perception.vlm import NoReply, Picture, Question, VisionLanguageModel
from robo_reward.perception.vlm_pictures import read_pictures
from robo_reward.perception.vlm_prompt import PromptTemplate, Views


@final
class VlmHops:
    """Asks a vision-language model for each pair of moments; abstains where it has no reply that can be read.

    The references are given, never taken from the episode itself: with its own last frame as goal a failure would end
    at "completed". A pair shows the cameras that saw both moments. Replies can only be as repeatable as the model; wrap
    it in `CachedVlm` and each pair has one answer for good.

    Args:
        vlm: Who is asked.
        task: The task in words.
        goal: Camera name to picture, or to the file of one, of the task completed.
        start: The same of the task not begun; None for templates and integrations that need none.
        template: File of the prompt, or the name of one of the project's; see `PromptTemplate`. Its field is `{task}`,
            its slots `<before>`, `<after>`, `<goal>` and, if there is a start, `<start>`.
        spread: One standard deviation of a hop's error, in (0, 1], measured or supposed: a reply does not say.

    Raises:
        ValueError: No task, no goal picture, a spread outside (0, 1], a template that lacks a slot or shows a start
            that is not there, a file that is no picture.
        FileNotFoundError: No such template or picture.

    Source:
        Tan et al. 2025 (Robo-Dopamine, 2512.23703).
    """

    def __init__(
        self,
        vlm: VisionLanguageModel,
        *,
        task: str,
        goal: Mapping[str, Tensor | str | Path],
        start: Mapping[str, Tensor | str | Path] | None = None,
        template: str | Path = "relative_hop",
        spread: float,
    ) -> None:
        if not task.strip():
            raise ValueError("task must say what is to be done, got an empty text")
        if not goal or (start is not None and not start):
            raise ValueError("goal (and start, unless it is null) must hold at least one camera's picture")
        if not 0 < spread <= 1:
            raise ValueError(f"spread must be in (0, 1], got {spread}")
        self._vlm, self._task, self._spread = vlm, task, float(spread)
        self._reference = {GOAL: read_pictures(goal)} | ({START: read_pictures(start)} if start else {})
        self._template = PromptTemplate.read(template, fields=["task"], slots=["before", "after", "goal"])
        if "start" in self._template.slots and not start:
            raise ValueError(f"template {template} shows <start>: give start, or a template without it")

    @property
    def version(self) -> str:
        """Identifies model, sampling, prompt, task, references and spread."""
        pictures = [
            [index, camera, Question(parts=(picture,)).fingerprint]
            for index, views in self._reference.items()
            for camera, picture in views.items()
        ]
        text = json.dumps(
            ["VlmHops", self._vlm.version, self._template.version, self._task, pictures, self._spread], sort_keys=True
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def references(self) -> frozenset[int]:
        """`START` and `GOAL`, as far as there are pictures of them."""
        return frozenset(self._reference)

    def hops(self, seen: Clip, before: Int64[Tensor, " pair"], after: Int64[Tensor, " pair"]) -> Hops:
        """Give H(before, after) for pairs of time steps, the same pairs for every episode of the batch.

        Args:
            seen: The episodes.
            before: Time index, or `START` or `GOAL`.
            after: The same.

        Raises:
            ValueError: Lists of different length, an index outside the clip, `START` without a start picture.
        """
        batch, time = seen.stamp.shape
        self._check(before, time)
        self._check(after, time)
        if len(before) != len(after):
            raise ValueError(f"before and after must be of one length, got {len(before)} and {len(after)}")
        pairs = list(zip(before.tolist(), after.tolist(), strict=True))
        value = self._ask([self._question(seen, row, p, q) for row in range(batch) for p, q in pairs])
        value = value.reshape(batch, len(pairs))
        return Hops(value=value, spread=torch.where(value.isnan(), value, torch.full_like(value, self._spread)))

    def _ask(self, questions: Sequence[Question | NoReply]) -> Float64[Tensor, " question"]:
        value = torch.full((len(questions),), float("nan"), dtype=torch.float64)
        asked = {index: each for index, each in enumerate(questions) if isinstance(each, Question)}
        for index, reply in zip(asked, self._vlm.ask(list(asked.values())) if asked else [], strict=True):
            value[index] = math.nan if isinstance(reply, NoReply) else parse_hop(reply)
        return value

    def _question(self, clip: Clip, row: int, before: int, after: int) -> Question | NoReply:
        earlier, later = self._views(clip, row, before), self._views(clip, row, after)
        both = [camera for camera in earlier if camera in later]
        pictures: dict[str, Sequence[Views]] = {
            "before": [{camera: earlier[camera] for camera in both}],
            "after": [{camera: later[camera] for camera in both}],
            "goal": [self._reference[GOAL]],
        }
        if START in self._reference:
            pictures["start"] = [self._reference[START]]
        return self._template.render(fields={"task": self._task}, pictures=pictures)

    def _views(self, clip: Clip, row: int, index: int) -> Mapping[str, Picture]:
        return self._reference[index] if index < 0 else views_at(clip, row, index)

    def _check(self, indices: Int64[Tensor, " pair"], time: int) -> None:
        allowed = set(self._reference)
        if wrong := [index for index in indices.tolist() if index not in allowed and not 0 <= index < time]:
            raise ValueError(
                f"index {wrong[0]} is neither a frame of the clip (0 to {time - 1}) nor a reference that was given "
                f"(START is {START}, GOAL is {GOAL}; given: {sorted(allowed)})"
            )


def parse_hop(text: str) -> float:
    """Read a hop from a reply.

    One signed percentage between `<score>` and `</score>`, the last such pair; or a percentage and nothing else.
    Beyond ±100 % it is limited to that.

    Returns:
        Hop in [−1, 1]; NaN where nothing of the kind is there, never a 0 in its stead.

    Source:
        FlagOpen/Robo-Dopamine @7d4415f, the parser; there what cannot be read counts as 0.

    Example:
        >>> parse_hop("The cup is nearer. <score>+12%</score>"), parse_hop("-3 %"), parse_hop("abc")
        (0.12, -0.03, nan)
    """
    percentage = parse_percentage(text, tag="score")
    return percentage if math.isnan(percentage) else max(-1.0, min(1.0, percentage))


_: type[HopSource[Clip]] = VlmHops  # the type checker holds the protocol
