"""Progress and success as a vision-language model judges them, one question per frame."""

import hashlib
import json
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.models.vlm_readings import Reading, views_at
from robo_reward.perception.vlm import NoReply, Question, VisionLanguageModel
from robo_reward.perception.vlm_prompt import PromptTemplate
from robo_reward.reward_model import Estimate


@final
class FrameQuestions:
    """Asks about every frame of a clip, showing it and some frames before it.

    The frames t − (num_frames − 1)·stride, …, t − stride, t are shown; before the episode's first frame that one is
    shown again. Every question of an episode thus has the same number of moments: a model that is shown "all frames so
    far" can tell progress by counting pictures.

    Args:
        vlm: Who is asked.
        task: The task in words.
        template: File of the prompt, or the name of one of the project's; its field is `{task}`, its slot `<frames>`.
        reading: How an answer becomes a number.
        num_frames: Moments that each question shows.
        stride: Frames from one moment to the next.

    Raises:
        ValueError: No task, a number or stride below 1, a template without its field or slot.
        FileNotFoundError: No such template.
    """

    def __init__(
        self,
        vlm: VisionLanguageModel,
        *,
        task: str,
        template: str | Path,
        reading: Reading,
        num_frames: int,
        stride: int,
    ) -> None:
        if not task.strip():
            raise ValueError("task must say what is to be done, got an empty text")
        if num_frames < 1 or stride < 1:
            raise ValueError(f"num_frames and stride must be >= 1, got {num_frames} and {stride}")
        self._vlm, self._task, self._reading = vlm, task, reading
        self._template = PromptTemplate.read(template, fields=["task"], slots=["frames"])
        self._lags = [step * stride for step in reversed(range(num_frames))]

    @property
    def lag(self) -> int:
        """How many frames before the judged one a question reaches: (num_frames − 1) · stride."""
        return self._lags[0]

    @property
    def version(self) -> str:
        """Identifies model, sampling, prompt, task, reading and frames."""
        parts = [self._vlm.version, self._template.version, self._task, self._reading.version, self._lags]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def read(self, clip: Clip, *, first: int = 0) -> Float64[Tensor, "batch asked"]:
        """Give each frame's number, in [0, 1]; NaN where no camera saw it, or the answer gives none.

        Args:
            clip: From the episode's first frame on, or from at least `lag` frames before the first asked about.
            first: The first frame that is asked about.
        """
        read = torch.full(clip.stamp.shape, float("nan"), dtype=torch.float64)
        batch, time = clip.stamp.shape
        places = [(row, t) for row in range(batch) for t in range(first, time) if bool(clip.present[row, t].any())]
        asked = {place: self._question(clip, *place) for place in places}
        questions = {place: each for place, each in asked.items() if isinstance(each, Question)}
        if questions:
            rows, times = zip(*questions, strict=True)
            read[list(rows), list(times)] = self._reading.read(self._vlm, list(questions.values()))
        return read[:, first:]

    def _question(self, clip: Clip, row: int, t: int) -> Question | NoReply:
        moments = [views_at(clip, row, max(0, t - lag)) for lag in self._lags]
        return self._template.render(
            fields={"task": self._task}, pictures={"frames": [each for each in moments if each]}
        )


@final
class VlmJudgement:
    """Progress as what a vision-language model answers about each frame.

    With `TokenProbability` the probability of "yes, it is completed", with `TokenLogProbability` its logarithm
    (TOPReward on a fixed scale), with `StatedPercentage` the number that the model states. Abstains on every frame
    without an answer that can be read. Answers are only as repeatable as the model; behind `CachedVlm` each frame has
    one for good.

    Args:
        vlm: Who is asked.
        task: The task in words.
        template: File of the prompt, or the name of one of the project's, such as `progress`.
        reading: How an answer becomes progress.
        num_frames: Moments that each question shows, the judged one last.
        stride: Frames from one moment to the next.
        spread: One standard deviation of the error, in (0, 1], measured or supposed: an answer does not say.

    Raises:
        ValueError: No task, a number out of its range, a template without its field or slot.
        FileNotFoundError: No such template.
    """

    context: int | None = None

    def __init__(
        self,
        vlm: VisionLanguageModel,
        *,
        task: str,
        template: str | Path,
        reading: Reading,
        num_frames: int,
        stride: int,
        spread: float,
    ) -> None:
        if not 0 < spread <= 1:
            raise ValueError(f"spread must be in (0, 1], got {spread}")
        self._spread = float(spread)
        self._questions = FrameQuestions(
            vlm, task=task, template=template, reading=reading, num_frames=num_frames, stride=stride
        )

    @property
    def version(self) -> str:
        """Identifies model, sampling, prompt, task, reading, frames and spread."""
        return hashlib.sha256(f"VlmJudgement {self._questions.version} {self._spread}".encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of an episode."""
        return self.resume(clip, None)[0]

    def resume(self, seen: Clip, memory: Clip | None) -> tuple[Estimate, Clip | None]:
        """Estimate the next frames of an episode, asking about them alone.

        Args:
            seen: The next frames.
            memory: What the call before this one gave; None at the start of an episode.

        Returns:
            The estimate of these frames, and the frames that later questions show too.
        """
        known = seen if memory is None else memory.followed_by(seen)
        progress = self._questions.read(known, first=0 if memory is None else memory.stamp.shape[1]).float()
        spread = torch.where(progress.isnan(), progress, torch.full_like(progress, self._spread))
        shown_again = known.latest(self._questions.lag) if self._questions.lag else None
        return Estimate(progress=progress, spread=spread), shown_again


@final
class VlmSuccess:
    """Probability that the task is completed, as a vision-language model answers yes or no. Not a potential.

    Args:
        vlm: Who is asked.
        task: The task in words.
        template: File of the prompt, or the name of one of the project's, such as `success`.
        reading: How an answer becomes a probability; `TokenProbability` or, without token probabilities, `YesOrNo`.
        num_frames: Moments that each question shows, the judged one last.
        stride: Frames from one moment to the next.

    Raises:
        ValueError: No task, a number out of its range, a template without its field or slot.
        FileNotFoundError: No such template.

    Source:
        RoboFuME (2310.15145): success where P(yes) > P(no), that is, above one half.
    """

    def __init__(
        self,
        vlm: VisionLanguageModel,
        *,
        task: str,
        template: str | Path = "success",
        reading: Reading,
        num_frames: int,
        stride: int,
    ) -> None:
        self._questions = FrameQuestions(
            vlm, task=task, template=template, reading=reading, num_frames=num_frames, stride=stride
        )

    @property
    def version(self) -> str:
        """Identifies model, sampling, prompt, task, reading and frames."""
        return hashlib.sha256(f"VlmSuccess {self._questions.version}".encode()).hexdigest()[:16]

    def probability(self, clip: Clip) -> Float32[Tensor, "batch time"]:
        """Give the probability of success at each frame, in [0, 1]; NaN where the model abstains.

        Args:
            clip: An episode from its first frame on.
        """
        return self._questions.read(clip).float()
