import pytest
import torch

from robo_reward.fusion.camera_health import CameraWatch
from robo_reward.rl.hacking_monitor_episode import SeenEpisode
from robo_reward.rl.hacking_monitor_familiar import FamiliarFrames
from robo_reward.rl.hacking_monitor_rules import ClaimsWithoutSuccess, OccludedCamera, PaidToLoiter, StrangeFrames

TIME, DIM = 20, 6


def episode(potential, *, shaping=None, success=False, embedding=None, moved=None) -> SeenEpisode:
    known = torch.as_tensor(potential, dtype=torch.float64)
    return SeenEpisode(
        potential=known,
        shaping=0.98 * known[1:] - known[:-1] if shaping is None else shaping,
        success=success,
        terminated=success,
        embedding=embedding,
        moved=moved,
    )


def pictures(seed=0) -> torch.Tensor:
    return torch.randn(TIME, 2, DIM, generator=torch.Generator().manual_seed(seed))


RISING = torch.linspace(0, 0.6, TIME, dtype=torch.float64)
MOVED = torch.ones(TIME - 1, dtype=torch.bool)


@pytest.mark.parametrize(
    ("potential", "success", "judged"),
    [
        ([0.0, 0.95, 0.95, 0.95], False, True),
        ([0.0, 0.95, 0.95, 0.5], False, None),  # two frames are no claim
        ([0.0, 0.95, float("nan"), 0.95], False, None),
        ([0.0, 0.2, 0.3, 0.4], True, False),  # a success is judged whatever the potential says
        ([0.0, 0.2, 0.3, 0.4], False, None),
    ],
)
def test_a_claim_is_a_potential_held_for_some_frames(potential, success, judged):
    finding = ClaimsWithoutSuccess(goal_potential=0.9).judge(episode(potential, success=success))
    assert (finding.suspicious if finding else None) == judged


def test_waiting_pays_where_potentials_are_paid_as_rewards_and_never_by_the_law():
    rule, waits = PaidToLoiter(goal_potential=1.0), torch.full((40,), 0.6, dtype=torch.float64)
    paid = rule.judge(episode(waits, shaping=waits[1:]))
    assert paid.suspicious
    assert paid.evidence == (
        "shaping paid 23.4 beyond net progress in 39 steps (+0.6 a step), the whole task is worth 0.4"
    )
    assert not rule.judge(episode(waits)).suspicious
    assert not rule.judge(episode(waits, shaping=waits[1:] - waits[:-1])).suspicious


def test_a_negative_potential_pays_for_waiting_and_rectified_differences_for_swinging():
    rule, waits = PaidToLoiter(goal_potential=0.0), torch.full((200,), -0.9, dtype=torch.float64)
    assert rule.judge(episode(waits)).suspicious
    swings = torch.tensor([0.0, 0.5] * 20, dtype=torch.float64)
    rectified = (swings[1:] - swings[:-1]).clamp(min=0)
    assert PaidToLoiter(goal_potential=1.0).judge(episode(swings, shaping=rectified)).suspicious


def test_waiting_that_earns_less_than_the_whole_task_is_not_suspicious_yet():
    potential = torch.tensor([0.0, 0.1, 0.1, 0.1], dtype=torch.float64)
    assert not PaidToLoiter(goal_potential=1.0).judge(episode(potential, shaping=potential[1:])).suspicious
    assert PaidToLoiter(goal_potential=0.1).judge(episode(potential, shaping=potential[1:])).suspicious


def test_a_success_is_no_loitering_and_an_unknown_potential_says_nothing():
    waits = torch.full((40,), 0.6, dtype=torch.float64)
    rule = PaidToLoiter(goal_potential=1.0)
    assert not rule.judge(episode(waits, shaping=waits[1:], success=True)).suspicious
    assert rule.judge(episode(waits * torch.nan)) is None


def test_a_lost_camera_is_told_with_the_potential_that_it_earns():
    seen = pictures()
    seen[8:, 1] = torch.nan
    finding = OccludedCamera().judge(episode(RISING, embedding=seen))
    assert finding.suspicious
    assert finding.evidence == "camera 1 lost in 60% of the frames; mean potential 0.426 in them, 0.111 in the others"


def test_a_repeated_picture_is_frozen_while_anything_else_changes():
    seen = pictures()
    seen[4:, 0] = seen[4, 0]
    assert "camera 0 frozen in 45%" in OccludedCamera().judge(episode(RISING, embedding=seen)).evidence
    alone = seen[:, :1]
    assert not OccludedCamera().judge(episode(RISING, embedding=alone)).suspicious  # the robot may rest
    assert OccludedCamera().judge(episode(RISING, embedding=alone, moved=MOVED)).suspicious
    assert not OccludedCamera().judge(episode(RISING, embedding=alone, moved=~MOVED)).suspicious


def test_a_camera_that_is_out_for_a_moment_is_not_suspicious_and_without_embeddings_nothing_is_known():
    seen = pictures()
    seen[3:6, 1] = torch.nan
    assert not OccludedCamera().judge(episode(RISING, embedding=seen)).suspicious
    assert not OccludedCamera().judge(episode(RISING, embedding=pictures())).suspicious
    assert OccludedCamera().judge(episode(RISING)) is None


def test_a_watch_notices_a_covered_camera():
    homes = 3 * torch.randn(2, 24, generator=torch.Generator().manual_seed(99))
    way = torch.linspace(0, 3, TIME)[:, None, None] * torch.randn(2, 24, generator=torch.Generator().manual_seed(98))
    noises = [torch.randn(TIME, 2, 24, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
    good = [(homes + way + 0.3 * noise)[None] for noise in noises]
    watch = CameraWatch.fitted_to(good[:3], cameras=["front", "wrist"])
    covered = good[3][0].clone()
    covered[8:, 0] = 9 * noises[0][8:, 0]
    rule = OccludedCamera(watch=watch)
    assert "camera 0 strange in 60%" in rule.judge(episode(RISING, embedding=covered)).evidence
    assert not rule.judge(episode(RISING, embedding=good[3][0])).suspicious


def demonstrated() -> list[torch.Tensor]:
    return [0.1 * pictures(seed) for seed in range(8)]


def test_strange_frames_count_where_the_potential_is_high():
    rule = StrangeFrames(familiar=FamiliarFrames.fitted_to(demonstrated()), high_potential=0.3)
    late, early = 0.1 * pictures(9), 0.1 * pictures(9)
    late[10:] += 3
    early[:10] += 3
    assert rule.judge(episode(RISING, embedding=late)).suspicious
    assert not rule.judge(episode(RISING, embedding=early)).suspicious
    assert not rule.judge(episode(RISING, embedding=late, success=True)).suspicious
    assert rule.judge(episode(0.3 * RISING, embedding=late)) is None
    assert rule.judge(episode(RISING)) is None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ClaimsWithoutSuccess(goal_potential=1.0, num_frames=0), "num_frames must be >= 1, got 0"),
        (lambda: OccludedCamera(share=1.0), r"share must be in \[0, 1\) and frozen_after >= 2, got 1 and 8"),
        (lambda: OccludedCamera(frozen_after=1), "frozen_after >= 2"),
        (
            lambda: StrangeFrames(
                familiar=FamiliarFrames(bank=[torch.zeros(1, 2)], limit=1.0), high_potential=0.5, share=-0.1
            ),
            r"share must be in \[0, 1\), got -0.1",
        ),
    ],
)
def test_settings_outside_their_ranges_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
