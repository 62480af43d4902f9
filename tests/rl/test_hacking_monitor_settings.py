import pytest
import torch

from robo_reward.fusion.camera_health import CameraWatch
from robo_reward.rl.demonstrations import Demonstrations
from robo_reward.rl.hacking_monitor_episode import SeenEpisode
from robo_reward.rl.hacking_monitor_settings import RULES, HackingMonitorSettings
from robo_reward.shaping import LinearPotential

TIME, DIM = 20, 24


def pictures(seed: int, *, views: int = 2, scale: float = 0.1) -> torch.Tensor:
    homes = 3 * torch.randn(views, DIM, generator=torch.Generator().manual_seed(99))
    return homes + scale * torch.randn(TIME, views, DIM, generator=torch.Generator().manual_seed(seed))


def shown(count: int = 6) -> Demonstrations:
    return Demonstrations(embeddings=[pictures(seed) for seed in range(count)], cameras=("front", "wrist"))


def episode(embedding: torch.Tensor, cameras) -> SeenEpisode:
    potential = torch.full((TIME,), 0.6, dtype=torch.float64)
    shaping = -0.02 * potential[1:]
    return SeenEpisode(
        potential=potential, shaping=shaping, success=False, terminated=False, embedding=embedding, cameras=cameras
    )


def watched(settings=None, **given) -> list[str]:
    return list((settings or HackingMonitorSettings()).monitor(LinearPotential(), **given).evidence)


def test_without_a_choice_every_rule_watches_that_has_something_to_judge_by():
    blind, looking = {"embeds": False}, {"embeds": True}
    assert watched(**blind) == ["claims_without_success", "paid_to_loiter"]
    assert watched(**looking) == ["claims_without_success", "paid_to_loiter", "occluded_camera"]
    assert watched(**looking, demonstrations=shown(3)) == [
        "claims_without_success",
        "paid_to_loiter",
        "occluded_camera",
    ]
    assert tuple(watched(**looking, demonstrations=shown())) == RULES


def test_levels_follow_the_scale_of_the_potential():
    monitor = HackingMonitorSettings().monitor(LinearPotential(scale=2.0, offset=-1.0), embeds=False)
    claims, loiter = monitor._rules
    assert (claims.goal_potential, loiter.goal_potential) == (pytest.approx(-0.2), pytest.approx(0.0))


@pytest.mark.parametrize(
    ("settings", "given", "message"),
    [
        ({"rules": ["loitering"]}, {}, r"unknown rules \['loitering'\] in monitor; there are claims_without_success, "),
        ({"stop_on": ["x"]}, {}, r"unknown rules \['x'\]"),
        ({"goal_progress": 1.5}, {}, r"goal_progress and high_progress must be in \[0, 1\], got 1.5 and 0.5"),
        ({"rules": ["occluded_camera"]}, {"embeds": False}, "occluded_camera needs a reward model that looks through"),
        ({"rules": ["strange_frames"]}, {"embeds": True}, "strange_frames needs demonstrations of the task"),
        ({"rules": ["strange_frames"]}, {"embeds": True, "demonstrations": shown(2)}, "at least 4 are needed"),
        ({"stop_on": ["strange_frames"]}, {"embeds": True}, r"stop_on names rules \['strange_frames'\] that are not"),
    ],
)
def test_what_cannot_be_watched_is_refused(settings, given, message):
    with pytest.raises(ValueError, match=message):
        HackingMonitorSettings(**settings).monitor(LinearPotential(), **given)


def test_views_are_compared_with_those_of_the_same_name_whatever_their_order():
    (rule,) = (
        HackingMonitorSettings(rules=["strange_frames"])
        .monitor(LinearPotential(), embeds=True, demonstrations=shown())
        ._rules
    )
    seen = pictures(9)
    assert not rule.judge(episode(seen, ("front", "wrist"))).suspicious
    assert not rule.judge(episode(seen.flip(1), ("wrist", "front"))).suspicious
    assert rule.judge(episode(seen.flip(1), ("front", "wrist"))).suspicious


def test_a_watch_judges_the_cameras_that_it_knows_and_that_are_there():
    watch = CameraWatch.fitted_to([pictures(seed)[None] for seed in range(3)], cameras=["front", "wrist"])
    (rule,) = (
        HackingMonitorSettings(rules=["occluded_camera"]).monitor(LinearPotential(), embeds=True, watch=watch)._rules
    )
    covered = pictures(9)
    covered[8:, 1] += 9
    finding = rule.judge(episode(covered.flip(1), ("wrist", "front")))
    assert finding.suspicious
    assert finding.evidence.startswith("camera wrist strange in 60% of the frames")
    assert not rule.judge(episode(pictures(9)[:, :1], ("front",))).suspicious  # the other one is not missed
    assert not rule.judge(episode(pictures(9, views=2), ("front", "top"))).suspicious  # nothing is known of the other


def test_demonstrations_of_other_views_than_cameras_are_refused():
    with pytest.raises(
        ValueError, match=r"demonstrations must be \(time, view=1, dim\), at least one; got \[\(20, 2, 24\)"
    ):
        Demonstrations(embeddings=[pictures(0)], cameras=("front",))
