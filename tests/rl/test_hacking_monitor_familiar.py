import numpy as np
import pytest
import torch

from robo_reward.rl.hacking_monitor_familiar import FamiliarFrames


def demonstration(rng, time=12) -> torch.Tensor:
    """A noisy line in five dimensions, seen by two cameras."""
    line = np.linspace(0, 1, time)[:, None, None] * np.ones((1, 2, 5))
    return torch.from_numpy((line + rng.normal(size=line.shape) * rng.uniform(0.02, 0.1)).astype(np.float32))


def test_a_further_demonstration_is_familiar_as_often_as_promised():
    """300 draws of nine demonstrations and a tenth: coverage 0.8, without a margin, is kept."""
    rng, kept = np.random.default_rng(0), 0
    for _ in range(300):
        *known, further = [demonstration(rng) for _ in range(10)]
        familiar = FamiliarFrames.fitted_to(known, coverage=0.8, frames_within=0.9, margin=1.0)
        kept += float(familiar.strange(further).double().mean()) <= 0.1
    assert 0.8 - 2 * 0.023 <= kept / 300 <= 0.95  # not far above either: the limit is not infinite


def test_the_distance_is_that_to_the_nearest_demonstrated_frame_of_the_worst_camera():
    familiar = FamiliarFrames(bank=[torch.tensor([[0.0, 0], [1, 0]]), torch.tensor([[0.0, 0]])], limit=1.5)
    seen = torch.tensor([[[1.0, 1], [0, 0.5]], [[0, 0], [0, 2]], [[torch.nan] * 2, [0, 1]], [[torch.nan] * 2] * 2])
    assert familiar.distances(seen).tolist()[:3] == [1.0, 2.0, 1.0]
    assert familiar.distances(seen)[3].isnan()
    assert familiar.strange(seen).tolist() == [False, True, False, False]


def test_a_camera_that_is_absent_from_some_demonstrations_is_learnt_from_the_others():
    rng = np.random.default_rng(1)
    known = [demonstration(rng) for _ in range(6)]
    known[0][:, 1] = torch.nan
    assert len(FamiliarFrames.fitted_to(known).bank[1]) == 5 * 12


def test_too_few_demonstrations_and_wrong_shapes_are_refused():
    rng = np.random.default_rng(2)
    known = [demonstration(rng) for _ in range(4)]
    with pytest.raises(
        ValueError, match=r"4 demonstrations cannot give a limit of coverage 0.9; at least 9 are needed"
    ):
        FamiliarFrames.fitted_to(known, coverage=0.9)
    with pytest.raises(ValueError, match=r"coverage must be in \(0, 1\), frames_within in \(0, 1\] and margin >= 1"):
        FamiliarFrames.fitted_to(known, margin=0.5)
    with pytest.raises(ValueError, match=r"demonstrations have \(view, dim\) \(2, 5\), got \(1, 5\)"):
        FamiliarFrames.fitted_to(known).distances(torch.zeros(3, 1, 5))
    with pytest.raises(ValueError, match="limit must be > 0"):
        FamiliarFrames(bank=[torch.zeros(1, 2)], limit=0.0)
    with pytest.raises(ValueError, match="each camera needs at least one demonstrated frame"):
        FamiliarFrames(bank=[torch.zeros(0, 2)], limit=1.0)
    known[1][:] = torch.nan
    with pytest.raises(ValueError, match="demonstration 1 shares no camera that gave frames with the others"):
        FamiliarFrames.fitted_to(known)
