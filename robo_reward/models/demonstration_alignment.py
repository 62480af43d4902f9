"""Where in the demonstrations the latest frames are: a causal alignment that knows their order."""

import math

import torch
from jaxtyping import Float64
from torch import Tensor

BACKWARDS = 0.05
"""Probability of a step back by one position: undoing is possible, slowly."""
JUMP = 1e-3
"""Probability of any position next: a person moved the scene."""
MOST_AHEAD = 24
"""Positions that one frame may advance at most."""
FRAMES_AT_A_TIME = 128


def aligned_positions(
    log_likelihood: Float64[Tensor, "time demonstration position"], *, context: int, advance: float
) -> Float64[Tensor, "time demonstration position"]:
    """Give the probability of each position in the demonstrations, from the latest frames up to each.

        P(j at t) ∝ p(frame t | j) · Σ_i P(j | i) P(i at t − 1)

    over the last `context` frames: mostly on, geometrically by `advance` positions in the mean, seldom back by one,
    hardly ever anywhere. Frames in the demonstrations' order confirm each other; one that fits two places goes where
    the ones before it lead. Before an episode's first frame its scene counts as having stood still, so that one that
    goes on standing still keeps its place bit for bit.

    Args:
        log_likelihood: Of each frame at each position, up to a constant; 0 throughout where there is no frame.
        context: Frames that count, from 1; the result for a frame depends on no other.
        advance: Positions that an episode advances per frame in the mean, > 0.

    Returns:
        Probabilities that sum to 1 for each frame.
    """
    time, demonstrations, positions = log_likelihood.shape
    peak = log_likelihood.flatten(1).max(dim=1).values
    likelihood = (log_likelihood - peak[:, None, None]).exp()
    padded = torch.cat([likelihood[:1].expand(context - 1, -1, -1), likelihood])
    steps = _steps(advance, positions)
    parts = []
    for first in range(0, time, FRAMES_AT_A_TIME):
        stop = min(first + FRAMES_AT_A_TIME, time)
        belief = _normalised(padded[first:stop])
        for frame in range(1, context):
            moved = JUMP / (demonstrations * positions) + (1 - JUMP) * _moved(belief, steps)
            belief = _normalised(moved * padded[first + frame : stop + frame])
        parts.append(belief)
    return torch.cat(parts)


def _steps(advance: float, positions: int) -> list[tuple[int, float]]:
    """How many positions on, and how probable."""
    ratio = advance / (1 + advance)
    ahead = min(MOST_AHEAD, positions - 1, max(1, math.ceil(4 * advance)))
    share = [ratio**step for step in range(ahead + 1)]
    forward = [(step, (1 - BACKWARDS) * each / sum(share)) for step, each in enumerate(share)]
    return [(-1, BACKWARDS), *forward] if positions > 1 else [(0, 1.0)]


def _moved(belief: Tensor, steps: list[tuple[int, float]]) -> Tensor:
    """Move probability along each demonstration; what would leave it stays at its end."""
    moved = torch.zeros_like(belief)
    for step, probability in steps:
        if step == 0:
            moved += probability * belief
        elif step > 0:
            moved[..., step:] += probability * belief[..., :-step]
            for leaving in range(step):
                moved[..., -1] += probability * belief[..., belief.shape[-1] - 1 - leaving]
        else:
            moved[..., :step] += probability * belief[..., -step:]
            moved[..., 0] += probability * belief[..., 0]
    return moved


def _normalised(belief: Tensor) -> Tensor:
    flat = belief.flatten(1).contiguous()
    return belief / flat.sum(dim=1)[:, None, None]
