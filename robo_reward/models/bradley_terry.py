"""What preferences between pairs of frames say of single frames: a Bradley–Terry ensemble that stops when held out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor
from torch.nn.functional import softplus

MEMBERS = 3
FOLDS = 5
"""Groups of frames are dealt to so many folds; member i never learns from fold i, which says when to stop."""
EPOCHS = 300
PATIENCE = 30
"""Epochs without a better held-out loss after which a member is done."""
LEARNING_RATE = 0.03
DECAY = 1e-3

Parameters = dict[str, Tensor]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ComparedRows:
    """Pairs of frames, which one is better, and where the frames come from."""

    first: Float64[Tensor, "pair feature"]
    second: Float64[Tensor, "pair feature"]
    label: Float64[Tensor, " pair"]
    """1 = the second is better, 0 = the first; NaN = unsure, not learnt from."""
    groups: Int64[Tensor, "pair 2"]
    """Episode (or stretch of one) that each frame comes from; frames of one group are held out together."""

    @property
    def known(self) -> "ComparedRows":
        """Pairs with a label, without NaN, of frames that differ at all."""
        different = (self.first - self.second).abs().amax(dim=-1) > 0  # False where a number is NaN
        kept = different & ~self.label.isnan()
        return ComparedRows(
            first=self.first[kept], second=self.second[kept], label=self.label[kept], groups=self.groups[kept]
        )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class BradleyTerry:
    """Scores of frames whose differences are the log-odds of preferences; three opinions.

        r_i(z) = a_i · z + v_i · tanh(W_i z + b_i),   P(second better) = σ(r(second) − r(first))

    Source:
        Bradley & Terry 1952; Wang et al. 2024 (2402.03681), there on pixels, segments of length 1.
    """

    parameters: Mapping[str, Tensor]
    """`linear` (member, feature), `inner` (member, hidden, feature), `bias` and `outer` (member, hidden)."""

    @classmethod
    def untrained(cls, num_features: int, *, hidden: int, seed: int) -> "BradleyTerry":
        """Give an ensemble that scores everything 0, and whose members will see different non-linear features."""
        generator = torch.Generator().manual_seed(seed)
        inner = torch.randn(MEMBERS, hidden, num_features, generator=generator, dtype=torch.float64)
        zero = torch.zeros(MEMBERS, hidden, dtype=torch.float64)
        linear = torch.zeros(MEMBERS, num_features, dtype=torch.float64)
        return cls(parameters={"linear": linear, "inner": inner, "bias": zero, "outer": zero.clone()})

    def __call__(self, rows: Float64[Tensor, "frame feature"]) -> Float64[Tensor, "member frame"]:
        """Give each member's score of each row; NaN stays NaN."""
        return _scores(self.parameters, rows)

    def fitted_to(
        self, pairs: ComparedRows, *, on_epoch: Callable[[int, float, float], None] = lambda *_: None
    ) -> "BradleyTerry":
        """Give the ensemble fitted to pairs; the same ensemble where no pair has a label.

        Each member keeps the parameters of its least held-out loss, so that wrong labels are not learnt by heart.

        Args:
            pairs: Of frames that may lack labels.
            on_epoch: Told the epoch from 1, the mean training loss and the mean held-out loss [nat].
        """
        pairs = pairs.known
        if len(pairs.label) == 0:
            return self
        learn, held = _dealt(pairs.groups)
        state = {name: tensor.clone().requires_grad_() for name, tensor in self.parameters.items()}
        optimiser = torch.optim.Adam(state.values(), lr=LEARNING_RATE)
        best, least, since = self.parameters, torch.full((MEMBERS,), torch.inf, dtype=torch.float64), 0
        for epoch in range(1, EPOCHS + 1):
            now = {name: tensor.detach().clone() for name, tensor in state.items()}
            with torch.enable_grad():
                losses = _losses(state, pairs)
                training = (learn * losses).sum(dim=1) / learn.sum(dim=1)
                decay = sum(tensor.square().sum() for name, tensor in state.items() if name != "bias")
                optimiser.zero_grad()
                (training.sum() + DECAY * decay).backward()
                optimiser.step()
            held_out = (held * losses.detach()).sum(dim=1) / held.sum(dim=1)
            better = held_out < least
            best = {name: torch.where(_shaped(better, now[name]), now[name], best[name]) for name in now}
            least = torch.where(better, held_out, least)
            since = 0 if bool(better.any()) else since + 1
            on_epoch(epoch, float(training.detach().mean()), float(held_out.mean()))
            if since >= PATIENCE:
                break
        return BradleyTerry(parameters=best)


def fold_of(groups: Int64[Tensor, "*shape"]) -> Int64[Tensor, "*shape"]:
    """Give the fold that a group is dealt to; member i holds fold i out."""
    return groups % FOLDS


def _dealt(groups: Int64[Tensor, "pair 2"]) -> tuple[Tensor, Tensor]:
    """Say which pairs each member learns from (none of the two frames held out), and which it is tried on."""
    member = torch.arange(MEMBERS)[:, None]
    held = (fold_of(groups)[None] == member[..., None]).any(dim=-1)
    learn = ~held
    # a member that nothing is held out from, or that all is, learns from all and stops by that
    single = (held.sum(dim=1) == 0) | (learn.sum(dim=1) == 0)
    return (learn | single[:, None]).double(), (held | single[:, None]).double()


def _losses(parameters: Mapping[str, Tensor], pairs: ComparedRows) -> Float64[Tensor, "member pair"]:
    """Give the cross-entropy of each pair; by matrix products, as bits do not matter while learning."""
    scores = []
    for rows in (pairs.first, pairs.second):
        inside = rows @ parameters["inner"].transpose(1, 2) + parameters["bias"][:, None]
        outside = torch.tanh(inside) @ parameters["outer"][..., None]
        scores.append(parameters["linear"] @ rows.T + outside[..., 0])
    log_odds = scores[1] - scores[0]
    return softplus(log_odds) - pairs.label * log_odds


def _scores(
    parameters: Mapping[str, Tensor], rows: Float64[Tensor, "frame feature"]
) -> Float64[Tensor, "member frame"]:
    # products and sums, not matrix products: a frame gets the same bits alone and among others
    linear = (parameters["linear"][:, None] * rows).sum(dim=-1)
    inside = (parameters["inner"][:, None] * rows[:, None]).sum(dim=-1) + parameters["bias"][:, None]
    return linear + (parameters["outer"][:, None] * torch.tanh(inside)).sum(dim=-1)


def _shaped(mask: Tensor, like: Tensor) -> Tensor:
    return mask.reshape(-1, *[1] * (like.ndim - 1))
