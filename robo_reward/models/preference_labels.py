"""Preferences labelled by a vision-language model: asked in two stages and in both orders, doubts dropped."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch

from robo_reward.models.preference_pairs import FrameReference, Label, PreferencePair
from robo_reward.perception.vlm import NoReply, Question, Reply, VisionLanguageModel
from robo_reward.perception.vlm_prompt import PromptTemplate, Views

Pictures = Callable[[FrameReference], Views]
"""What the cameras saw at a frame; a camera that saw nothing is not in it."""
_ANSWERS: dict[str, Label] = {"0": 0, "1": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPairs:
    """Pairs with what was found, and why the others have no label."""

    pairs: list[PreferencePair]
    """All pairs, in their order; the label is None where there is none."""
    dropped: dict[str, int]
    """Reason to the number of pairs without a label."""


@final
class PreferenceLabeller:
    """Asks a vision-language model in which of two frames the goal is better achieved.

    Stage one shows both frames and asks for a comparison; stage two asks for a verdict on the comparison, in words
    only: 0, 1 or −1. Models prefer the first or the second picture for its place, so both orders are asked, and a
    label is kept only where the two verdicts name the same frame. Frames that no camera tells apart are not asked.
    A reply that is anything but a lone 0, 1 or −1 is no label; nor is a question that could not be asked.

    Args:
        model: Whom to ask.
        task: The goal in words.
        compare: Template of stage one, by name or path, with `{task}`, `<before>` and `<after>`.
        decide: Template of stage two, with `{task}` and `{comparison}`.

    Raises:
        ValueError: An empty task, templates that lack their fields or slots.
        FileNotFoundError: No such template.

    Source:
        Wang et al. 2024 (2402.03681), appendix: the two stages; asking both orders is an addition.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        *,
        task: str,
        compare: str = "preference_compare",
        decide: str = "preference_decide",
    ) -> None:
        if not task.strip():
            raise ValueError("task is empty; say the goal in words")
        self._model, self._task = model, task
        self._compare = PromptTemplate.read(compare, fields={"task"}, slots={"before", "after"})
        self._decide = PromptTemplate.read(decide, fields={"task", "comparison"}, slots=())

    def __call__(self, pairs: Sequence[PreferencePair], *, pictures: Pictures) -> LabelledPairs:
        """Label pairs; labels that they have are not looked at.

        Args:
            pairs: Of frames.
            pictures: Gives what the cameras saw at a frame.
        """
        views = [(pictures(pair.first), pictures(pair.second)) for pair in pairs]
        asked = [number for number, pair in enumerate(views) if not _alike(*pair)]
        there_and_back = [views[number] for number in asked]
        shown = there_and_back + [(second, first) for first, second in there_and_back]
        verdicts = self._verdicts(shown)
        labels: list[Label] = [None] * len(pairs)
        dropped = Counter({"alike": len(pairs) - len(asked)}) if len(asked) < len(pairs) else Counter[str]()
        for number, there, back in zip(asked, verdicts[: len(asked)], verdicts[len(asked) :], strict=True):
            reason = _doubt(there, back)
            if reason is None and not isinstance(there, NoReply):
                labels[number] = there
            else:
                dropped[reason or "unsure"] += 1
        found = [replace(pair, label=label) for pair, label in zip(pairs, labels, strict=True)]
        return LabelledPairs(pairs=found, dropped=dict(dropped))

    def _verdicts(self, shown: Sequence[tuple[Views, Views]]) -> list[Label | NoReply]:
        """Give which of two frames, in the order shown, is better; None = unsure."""
        comparisons = [
            self._compare.render(fields={"task": self._task}, pictures={"before": [first], "after": [second]})
            for first, second in shown
        ]
        decisions = [self._decision(each) for each in self._ask(comparisons)]
        return [_parsed(reply) for reply in self._ask(decisions)]

    def _decision(self, comparison: Reply) -> Question | NoReply:
        if isinstance(comparison, NoReply):
            return comparison
        if not comparison.strip():
            return NoReply(reason="empty comparison")
        return self._decide.render(fields={"task": self._task, "comparison": comparison.strip()})

    def _ask(self, questions: Sequence[Question | NoReply]) -> list[Reply]:
        """Ask what can be asked, all at once; the rest stays without reply."""
        replies = iter(self._model.ask([each for each in questions if isinstance(each, Question)]))
        return [next(replies) if isinstance(each, Question) else each for each in questions]


def _parsed(reply: Reply) -> Label | NoReply:
    if isinstance(reply, NoReply):
        return reply
    word = reply.strip().replace("−", "-")
    if word == "-1":
        return None
    if word not in _ANSWERS:
        return NoReply(reason="not a verdict", detail=reply[:200])
    return _ANSWERS[word]


def _doubt(there: Label | NoReply, back: Label | NoReply) -> str | None:
    """Say why two verdicts, of which the second is on the frames in the other order, make no label."""
    for verdict in (there, back):
        if isinstance(verdict, NoReply):
            return verdict.reason
    if there is None or back is None:
        return "unsure"
    return "orders disagree" if there == back else None


def _alike(first: Views, second: Views) -> bool:
    """Tell frames that every camera saw alike, pixel for pixel."""
    return (
        bool(first)
        and set(first) == set(second)
        and all(
            first[camera].shape == second[camera].shape and torch.equal(first[camera], second[camera])
            for camera in first
        )
    )
