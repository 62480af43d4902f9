"""What a fitted model is worth on episodes that it did not learn from."""

from collections.abc import Mapping
from typing import Any

import torch
from comparison_suites import Test
from torch import Tensor

from robo_reward.evaluation.controls import SensorNoise, noisy_still, static_control
from robo_reward.evaluation.footage import EmbeddedFootage, show
from robo_reward.evaluation.success_separation import success_auroc
from robo_reward.evaluation.value_order import value_order_correlation
from robo_reward.perception.encoder import EmbeddingRewardModel
from robo_reward.reward_model import Estimate

WIDTH = 1.645
"""Spreads on either side that hold 90 % of a normal distribution."""
SEED = 0


def real_scores(model: EmbeddingRewardModel, test: Test, *, spread_known: bool) -> dict[str, Any]:
    """Score one recording: all cameras, each one absent, backwards, standing still."""
    clip = test.labelled.clip
    footage = EmbeddedFootage(clip=clip, encoder_version=model.encoder.version)
    target = test.labelled.target
    scores = {"all": _accuracy(footage.estimate(model), target, spread_known=spread_known)}
    if len(clip.cameras) > 1:
        for camera in clip.cameras:
            estimate = footage.without(camera).estimate(model)
            scores[f"without {camera.split('.')[-1]}"] = _accuracy(estimate, target, spread_known=spread_known)
    backwards = torch.arange(len(target)).flip(0)
    reversed_ = footage.take(backwards, stamp=footage.stamp).estimate(model).progress[0]
    return {"views": scores, "reversed": _order(reversed_), "still": _still(model, test, footage)}


def simulated_scores(model: EmbeddingRewardModel, tests: list[Test]) -> dict[str, float]:
    """Score the episodes of one task, successes against failures."""
    order, last, peak = [], [], []
    for test in tests:
        progress = model.estimate_embedded(test.labelled.clip).progress[0]
        known = progress[~progress.isnan()]
        order.append(_order(progress))
        last.append(float(known[-1]) if len(known) else 0.0)
        peak.append(float(known.max()) if len(known) else 0.0)
    success = torch.tensor([test.labelled.success is True for test in tests])
    ends = torch.tensor(last)
    below = ends[~success][None] < ends[success][:, None]
    return {
        "voc": float(torch.tensor(order)[success].mean()),
        "auroc": success_auroc(ends, success),
        "failures_below": float(below.float().mean()),
        "highest_failure": float(torch.tensor(peak)[~success].max()),
        "lowest_success": float(ends[success].min()),
    }


def _still(model: EmbeddingRewardModel, test: Test, footage: EmbeddedFootage) -> Mapping[str, Mapping[str, float]]:
    """Show a scene in which nothing happens: exactly nothing, and nothing but the cameras' noise."""
    exact = footage.take(torch.zeros_like(footage.stamp, dtype=torch.int64), stamp=footage.stamp)
    first, fps, noise = test.first, test.source.fps, SensorNoise()
    noisy = show(noisy_still(first, noise=noise, seed=SEED, fps=fps), model).estimate(model).progress[0]
    start = test.labelled.target[0]
    outcomes = static_control(first, model, progress=start, noise=noise, seed=SEED, fps=fps)
    orders = [each.voc.value for each in outcomes]
    return {
        "exact": _ends(exact.estimate(model).progress[0]),
        "noisy": _ends(noisy) | {"voc": sum(orders) / len(orders)},
    }


def _ends(progress: Tensor) -> dict[str, float]:
    known = progress[~progress.isnan()]
    if len(known) == 0:
        return {"voc": 0.0, "last": float("nan"), "highest": float("nan")}
    return {"voc": _order(progress), "last": float(known[-1]), "highest": float(known.max())}


def _accuracy(estimate: Estimate, target: Tensor, *, spread_known: bool) -> dict[str, float | None]:
    progress, spread = estimate.progress[0], estimate.spread[0]
    error = (progress - target).abs()
    known = ~error.isnan()
    return {
        "voc": _order(progress),
        "error": float(error[known].mean()),
        "inside": float((error <= WIDTH * spread)[known].float().mean()) if spread_known else None,
        "abstained": float((~known).float().mean()),
    }


def _order(progress: Tensor) -> float:
    return value_order_correlation(progress).value
