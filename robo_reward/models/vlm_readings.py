"""What is read from a vision-language model: probabilities of its next word, or the words of its reply."""

import json
import math
import re
from collections.abc import Sequence
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.perception.vlm import Picture, Question, VisionLanguageModel, check_choices, normalised

_PERCENTAGE = re.compile(r"\s*([+\-−]?)\s*(\d{1,9}(?:\.\d{1,9})?)\s*(%?)\s*", re.ASCII)


@runtime_checkable
class Reading(Protocol):
    """Turns each question into one number in [0, 1]; NaN where the model's answer does not give one."""

    @property
    def version(self) -> str:
        """Identifies the reading and its settings."""
        ...

    def read(self, vlm: VisionLanguageModel, questions: Sequence[Question]) -> Float64[Tensor, " question"]:
        """Ask, and read the answers."""
        ...


@final
class TokenProbability:
    """Probability that the reply begins with one word: as it is, or against that of another.

        P(positive)   without `negative`,      P(positive) / (P(positive) + P(negative))   with it

    Args:
        positive: The word of a success.
        negative: The word of the contrary; None = the share of `positive` among all words.

    Raises:
        ValueError: An empty word, or the same twice.

    Source:
        RoboFuME (2310.15145): success is P(yes) > P(no).
    """

    def __init__(self, *, positive: str = "yes", negative: str | None = "no") -> None:
        self._choices = check_choices([positive] if negative is None else [positive, negative])

    @property
    def version(self) -> str:
        """The words."""
        return f"TokenProbability {list(self._choices)}"

    def read(self, vlm: VisionLanguageModel, questions: Sequence[Question]) -> Float64[Tensor, " question"]:
        """Ask, and read the answers."""
        found = vlm.choose(questions, self._choices)
        return found[:, 0] if len(self._choices) == 1 else found[:, 0] / found.sum(dim=-1)  # 0/0: it said neither


@final
class TokenLogProbability:
    """Logarithm of the probability that the reply begins with one word, from a floor to 0, as a fraction.

        1 + log P(positive) / floor,   limited to [0, 1]

    The scale is fixed: the published one stretches each episode to [0, 1], so that a failure reaches 1 too.

    Args:
        positive: The word of a success.
        floor: −log P that counts as nothing done [nat], > 0; measure it on frames of the start.

    Raises:
        ValueError: An empty word, or a floor that is not positive and finite.

    Source:
        TOPReward: the log-probability that "the task is completed" is true.
    """

    def __init__(self, *, positive: str = "yes", floor: float) -> None:
        if not (math.isfinite(floor) and floor > 0):
            raise ValueError(f"floor must be > 0 and finite, got {floor}")
        self._choices, self._floor = check_choices([positive]), float(floor)

    @property
    def version(self) -> str:
        """The word and the floor."""
        return f"TokenLogProbability {list(self._choices)} {self._floor}"

    def read(self, vlm: VisionLanguageModel, questions: Sequence[Question]) -> Float64[Tensor, " question"]:
        """Ask, and read the answers."""
        return (1 + vlm.choose(questions, self._choices)[:, 0].log() / self._floor).clamp(0, 1)


@final
class YesOrNo:
    """The word of the reply: 1 for `positive`, 0 for `negative`, else nothing. For servers without logprobs.

    Args:
        positive: The word of a success.
        negative: The word of the contrary.

    Raises:
        ValueError: An empty word, or the same twice.
    """

    def __init__(self, *, positive: str = "yes", negative: str = "no") -> None:
        self._positive, self._negative = check_choices([positive, negative])

    @property
    def version(self) -> str:
        """The words."""
        return f"YesOrNo {json.dumps([self._positive, self._negative])}"

    def read(self, vlm: VisionLanguageModel, questions: Sequence[Question]) -> Float64[Tensor, " question"]:
        """Ask, and read the answers."""
        value = {self._positive: 1.0, self._negative: 0.0}
        replies = vlm.ask(questions)
        words = [normalised(each).rstrip(".!") if isinstance(each, str) else None for each in replies]
        return torch.tensor([value.get(word, math.nan) if word else math.nan for word in words], dtype=torch.float64)


@final
class StatedPercentage:
    """The percentage that the reply states between tags, such as `<progress>40%</progress>`, as a fraction.

    Args:
        tag: Name of the tags.

    Raises:
        ValueError: A name that is not letters only.
    """

    def __init__(self, *, tag: str = "progress") -> None:
        if not (tag.isascii() and tag.isalpha()):
            raise ValueError(f"tag must be letters, got {tag!r}")
        self._tag = tag

    @property
    def version(self) -> str:
        """The tag."""
        return f"StatedPercentage {self._tag}"

    def read(self, vlm: VisionLanguageModel, questions: Sequence[Question]) -> Float64[Tensor, " question"]:
        """Ask, and read the answers; what lies outside [0 %, 100 %] is no progress and counts as nothing."""
        replies = vlm.ask(questions)
        stated = [parse_percentage(each, tag=self._tag) if isinstance(each, str) else math.nan for each in replies]
        return torch.tensor([each if 0 <= each <= 1 else math.nan for each in stated], dtype=torch.float64)


def parse_percentage(text: str, *, tag: str) -> float:
    """Read a percentage, as a fraction, from between the last `<tag>` and its `</tag>`.

    A text without the tag must be a percentage and nothing else. A tag that is opened must be closed: a reply that was
    cut is none.

    Returns:
        The fraction, any number; NaN where there is none.

    Example:
        >>> parse_percentage("<score>+150%</score>", tag="score"), parse_percentage("<score>+1", tag="score")
        (1.5, nan)
    """
    tagged = f"<{tag}>" in text
    if tagged:
        text, closed, _ = text.rpartition(f"<{tag}>")[2].partition(f"</{tag}>")
        if not closed:
            return math.nan
    found = _PERCENTAGE.fullmatch(text)
    if found is None or not (tagged or found[3]):  # without a tag the sign of a percentage is all that tells it
        return math.nan
    return float(found[1].replace("−", "-") + found[2]) / 100


def views_at(clip: Clip, row: int, time: int) -> dict[str, Picture]:
    """Give what each camera saw at one moment; a camera without a frame is left out."""
    present = clip.present[row, time].tolist()
    return {camera: clip.views[camera][row, time] for camera, saw in zip(clip.cameras, present, strict=True) if saw}
