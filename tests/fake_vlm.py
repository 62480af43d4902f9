"""A deterministic vision-language model without weights: the greener the last picture, the more it says yes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.perception.vlm import Question, Reply, VisionLanguageModel, check_choices


class GreenVlm:
    """Says "yes" with the mean green of the last picture as probability, and every other choice with what remains.

    Its replies state that green as `<score>` and `<progress>`, in percent.
    """

    version = "green"

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        self.asked += questions
        green = [100 * float(_green(question)) for question in questions]
        return [f"Well. <score>{each:+.3f}%</score> <progress>{each:.3f}%</progress>" for each in green]

    def choose(self, questions: Sequence[Question], choices: Sequence[str]) -> Float64[Tensor, "question choice"]:
        self.asked += questions
        words = check_choices(choices)
        yes = torch.stack([_green(question) for question in questions]) if questions else torch.zeros(0).double()
        return torch.stack([yes if word == "yes" else 1 - yes for word in words], dim=-1)


def _green(question: Question) -> Float64[Tensor, ""]:
    return question.pictures[-1][1].double().mean() / 255


_: VisionLanguageModel = GreenVlm()  # the type checker holds the protocol
