"""The contract, run for every reward model of the house: one line each."""

import pytest
from fake_encoder import FakeEncoder
from reward_model import CONTRACT, random_clip

from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.models.similarity_readout import SimilarityReadout

READOUT = SimilarityReadout(weight=(0.3, 0.21, -0.17), offset=0.4, residual=0.1)
MODELS = {
    "prompt_similarity": lambda: PromptSimilarity(
        FakeEncoder(), goal=["a green square"], baseline=["a red square"], alpha=0.5
    ),
    "prompt_similarity fitted": lambda: PromptSimilarity(
        FakeEncoder(),
        goal=["a green square"],
        baseline=["a red square"],
        alpha=0.5,
        readout={"front": READOUT, "wrist": READOUT},
    ),
}


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", MODELS)
def test_contract(name, law):
    law(MODELS[name]())


class PeeksAhead:
    """A model that breaks causality: each progress depends on the whole clip."""

    version, context = "peeks", None

    def estimate(self, clip):
        honest = MODELS["prompt_similarity"]().estimate(clip)
        whole = honest.progress.mean(dim=1, keepdim=True).expand_as(honest.progress)
        return type(honest)(progress=whole.contiguous(), spread=honest.spread)


def test_the_contract_catches_a_model_that_looks_ahead():
    law = next(law for law in CONTRACT if law.__name__ == "is_causal")
    with pytest.raises(AssertionError):
        law(PeeksAhead())


def test_random_clips_are_not_all_alike():
    assert MODELS["prompt_similarity"]().estimate(random_clip()).progress.std() > 0.01
