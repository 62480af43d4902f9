import math

import pytest
import torch
from demonstrations import ENCODER, SMALL_FIT, demonstration, small_process, to_green
from reward_model import CONTRACT, random_clip, same

from robo_reward.evaluation.value_order import value_order_correlation
from robo_reward.models.process import SMALLEST_RESIDUAL, ProcessReward
from robo_reward.models.process_fit import CHECK_EVERY
from robo_reward.models.process_reader import mean_progress
from robo_reward.models.relative_hop import GOAL, START
from robo_reward.perception.encoder import EmbeddedClip, embed_clip
from robo_reward.perception.fitting import FitProgress, FittableRewardModel, LabelledClip
from robo_reward.reward_model import RecurrentRewardModel

INTEGRATIONS = ("filter", "incremental", "forward", "backward", "mean", "consistent")


@pytest.fixture(scope="module")
def fitted() -> ProcessReward:
    return small_process().fitted_to([demonstration(30, seed=1), demonstration(36, seed=2)])


def integrating(fitted: ProcessReward, integration: str) -> ProcessReward:
    return ProcessReward(ENCODER, **(fitted.settings | {"integration": integration}), weights=fitted.weights)


def seen(*shares: float, **how) -> EmbeddedClip:
    return embed_clip(ENCODER, to_green(*shares, **how))


def rising(time: int = 25, *, reach: float = 1.0, seed: int = 7) -> EmbeddedClip:
    return demonstration(time, reach=reach, seed=seed).clip


def part(clip: EmbeddedClip, start: int, stop: int) -> EmbeddedClip:
    return EmbeddedClip(embedding=clip.embedding[:, start:stop], cameras=clip.cameras, stamp=clip.stamp[:, start:stop])


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_contract(integration, law, fitted):
    law(integrating(fitted, integration))


@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_an_episode_in_pieces_is_the_whole_bit_for_bit(integration, fitted):
    model = integrating(fitted, integration)
    assert isinstance(model, RecurrentRewardModel)
    clip = embed_clip(ENCODER, random_clip(time=23, batch=2))
    clip.embedding[0, :3] = torch.nan  # begins before any camera sees
    clip.embedding[1, 9:12, 0] = torch.nan
    clip.embedding[:, 17] = torch.nan
    whole, memory, pieces = model.estimate_embedded(clip), None, []
    for start, stop in ((0, 1), (1, 2), (2, 11), (11, 18), (18, 23)):
        estimate, memory = model.resume(part(clip, start, stop), memory)
        pieces.append(estimate.progress)
    assert torch.equal(torch.cat(pieces, dim=1).nan_to_num(-1), whole.progress.nan_to_num(-1))
    assert whole.abstained[0].nonzero()[:, 0].tolist() == [0, 1, 2, 17]
    assert whole.abstained[1].nonzero()[:, 0].tolist() == [17]


@pytest.mark.parametrize("integration", INTEGRATIONS[1:])
def test_a_frame_that_no_camera_saw_is_stepped_over(integration, fitted):
    model, clip = integrating(fitted, integration), rising()
    kept = torch.arange(25) != 14
    without = EmbeddedClip(embedding=clip.embedding[:, kept], cameras=clip.cameras, stamp=clip.stamp[:, kept])
    clip.embedding[:, 14] = torch.nan
    found = model.estimate_embedded(clip).progress
    assert torch.equal(found[:, kept], model.estimate_embedded(without).progress)


def test_the_same_recordings_give_the_same_model_and_another_seed_another():
    clips = [demonstration(20)]
    one, again, other = (small_process(fit={"steps": 30, "seed": seed}).fitted_to(clips) for seed in (0, 0, 1))
    assert one.version == again.version != other.version
    assert one.settings == again.settings
    same(one.estimate_embedded(rising()), again.estimate_embedded(rising()))


def test_settings_and_weights_rebuild_it(fitted):
    again = ProcessReward(ENCODER, **fitted.settings, weights=fitted.weights)
    assert isinstance(again, FittableRewardModel)
    assert again.version == fitted.version != small_process().version
    same(again.estimate_embedded(rising()), fitted.estimate_embedded(rising()))
    for name in fitted.weights:
        changed = {key: tensor + 1e-3 * (key == name) for key, tensor in fitted.weights.items()}
        assert ProcessReward(ENCODER, **fitted.settings, weights=changed).version != fitted.version
    changed = {"instruction": None, "integration": "mean", "residual": 0.3, "duration": 9.0}
    for name, value in changed.items():
        other = ProcessReward(ENCODER, **(fitted.settings | {name: value}), weights=fitted.weights)
        assert other.version != fitted.version
        assert other.settings[name] == value


@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_a_new_episode_rises_and_the_same_played_backwards_falls(integration, fitted):
    model = integrating(fitted, integration)
    forth = model.estimate_embedded(rising()).progress[0]
    assert float(value_order_correlation(forth).value) > 0.7
    assert forth[0] < 0.35
    assert forth[-1] > 0.65
    back = model.estimate_embedded(seen(*torch.linspace(0, 1, 30).tolist(), *torch.linspace(1, 0, 60).tolist()))
    assert float(value_order_correlation(back.progress[0, 30:]).value) < -0.5


def test_half_the_way_is_less_than_all_of_it(fitted):
    assert fitted.estimate_embedded(rising(reach=0.5)).progress[0, -1] < 0.5
    assert fitted.estimate_embedded(rising()).progress[0, -1] > 0.75


def test_the_spread_holds_what_the_fit_saw_of_its_own_error(fitted):
    residual = fitted.settings["residual"]
    assert isinstance(residual, float)
    assert residual >= SMALLEST_RESIDUAL
    assert bool((fitted.estimate_embedded(rising()).spread >= residual).all())


def test_a_lost_camera_is_done_without_and_their_order_does_not_matter(fitted):
    clip = rising()
    one = EmbeddedClip(embedding=clip.embedding[:, :, :1], cameras=("front",), stamp=clip.stamp)
    assert float(value_order_correlation(fitted.estimate_embedded(one).progress[0]).value) > 0.7
    absent = EmbeddedClip(embedding=clip.embedding.clone(), cameras=clip.cameras, stamp=clip.stamp)
    absent.embedding[:, :, 1] = torch.nan
    same(fitted.estimate_embedded(one), fitted.estimate_embedded(absent))
    turned = EmbeddedClip(embedding=clip.embedding.flip(2), cameras=clip.cameras[::-1], stamp=clip.stamp)
    same(fitted.estimate_embedded(turned), fitted.estimate_embedded(clip))


def blue(reach: float, *, seed: int, time: int = 30) -> EmbeddedClip:
    """Turns green as a success does, but bluish: the thing lies beside the box."""
    clip = to_green(*torch.linspace(0, reach, time).tolist(), seed=seed)
    for frames in clip.views.values():
        frames[:, :, 2] += torch.linspace(0, 150, time).byte()[None, :, None, None]
    return embed_clip(ENCODER, clip)


def test_failures_as_negatives_lower_what_failures_reach():
    demonstrations = [demonstration(30, seed=1), demonstration(36, seed=2)]
    failures = [LabelledClip(clip=blue(1.0, seed=seed), success=False) for seed in (3, 4)]
    alone = small_process().fitted_to(demonstrations)
    told = small_process().fitted_to([failures[0], *demonstrations, failures[1]])
    probability = [model.reader.read(blue(1.0, seed=9)).probability[0, -5:] for model in (alone, told)]
    above = [float(each[:, 58:].sum(dim=1).mean()) for each in probability]
    assert above[1] < 0.5 * above[0]
    assert told.estimate_embedded(rising()).progress[0, -1] > 0.7
    unknown = small_process().fitted_to([*demonstrations, LabelledClip(clip=failures[0].clip, success=None)])
    assert unknown.version != told.version


def test_labels_count_more_than_time():
    clip = demonstration(40).clip
    backwards = LabelledClip(clip=clip, success=True, progress=torch.linspace(1, 0, 40))
    progress = small_process().fitted_to([backwards]).estimate_embedded(rising()).progress[0]
    assert float(value_order_correlation(progress).value) < -0.8


def test_frames_without_a_label_or_a_picture_are_not_learnt_from():
    clip = demonstration(40).clip
    half = torch.linspace(0, 1, 40)
    half[25:] = torch.nan
    clip.embedding[0, :5] = torch.nan
    progress = small_process().fitted_to([LabelledClip(clip=clip, success=None, progress=half)])
    assert progress.estimate_embedded(rising()).progress[0, -1] < 0.8


def test_steps_of_equal_worth_label_demonstrations_that_dwell():
    dwelling = [LabelledClip(clip=seen(*[0.0] * 30, *[1.0] * 8, seed=seed), success=True) for seed in (1, 2)]
    red = []
    for num_steps in (None, 2):
        model = small_process(fit={"num_steps": num_steps}).fitted_to(dwelling)
        read = mean_progress(model.reader.read(seen(*[0.0] * 5, *[1.0] * 5, seed=8)).probability)[0]
        red.append(float(read[:5].mean()))
        assert read[5:].mean() > read[:5].mean() + 0.2
    assert red[1] < red[0] - 0.05


def test_steps_are_told_by_the_cameras_that_every_demonstration_has():
    one, other = demonstration(20, seed=1), demonstration(24, seed=2)
    one.clip.embedding[:, :, 1] = torch.nan
    fitted = small_process(fit={"num_steps": 2}).fitted_to([one, other])
    assert float(value_order_correlation(fitted.estimate_embedded(rising()).progress[0]).value) > 0.8
    other.clip.embedding[:, :, 0] = torch.nan
    with pytest.raises(
        ValueError, match=r"none of the cameras \['front', 'wrist'\] gave a frame in every demonstration"
    ):
        small_process(fit={"num_steps": 2}).fitted_to([one, other])


def told(clips, **fit) -> list[FitProgress]:
    found: list[FitProgress] = []
    small_process(fit=fit).fitted_to(clips, on_epoch=found.append)
    return found


def test_a_fit_tells_how_it_goes_on_what_it_does_not_learn_from():
    curve = told([demonstration(30, seed=1), demonstration(36, seed=2)], steps=60)
    assert [each.epoch for each in curve] == [1, 2, 3, 4, 5]  # at 25, 50 and 60 steps; then on everything
    assert {each.epochs for each in curve} == {6}
    held = [each.held_out_error for each in curve]
    assert all(0 < error < 1 for error in held[:3])
    assert all(math.isnan(error) for error in held[3:])


def test_a_fit_shorter_than_its_checks_tells_of_one_epoch_each():
    curve = told([demonstration(30)], steps=10)
    assert [(each.epoch, each.epochs) for each in curve] == [(1, 2)]


def test_a_held_out_error_that_only_grows_stops_the_fit():
    against = LabelledClip(clip=demonstration(30, seed=2).clip, success=True, progress=torch.linspace(1, 0, 30))
    curve = told([demonstration(30, seed=1), against], steps=200, patience=1)
    errors = [each.held_out_error for each in curve if not math.isnan(each.held_out_error)]
    assert len(errors) == 100 // CHECK_EVERY + 2  # the first check of the second half was the best, the next the last
    assert errors[-1] > errors[-2]
    assert len(curve) - len(errors) == len(errors) - 1  # then everything is learnt for as long as was best


@pytest.mark.parametrize("time", [2, 5, 10])
def test_one_short_demonstration_is_enough_to_hold_some_of_it_out(time):
    model = small_process(fit={"steps": 2}).fitted_to([demonstration(time)])
    assert bool(torch.isfinite(model.estimate_embedded(rising()).progress).all())


def test_it_is_a_source_of_hops_that_agree_with_progress(fitted):
    hops = fitted.reader.hops(
        rising(), torch.tensor([START, GOAL, 0, 24, START, GOAL]), torch.tensor([24, 0, 24, 0, GOAL, START])
    )
    first, last, forth, back, whole, lost = hops.value[0].tolist()
    assert first > 0.6
    assert forth > 0.5
    assert max(last, back) < -0.5
    assert (whole, lost) == pytest.approx((1, -1), abs=0.01)  # to the middle of a bin
    assert bool((hops.spread >= 0).all())
    with pytest.raises(ValueError, match=r"index 25 is no frame of the clip \(0 to 24\)"):
        fitted.reader.hops(rising(), torch.tensor([0]), torch.tensor([25]))


def test_what_the_encoder_reads_of_the_task_counts_and_encoders_without_text_are_fine():
    class Blind:
        """Pictures only."""

        version, dim, image_size = "blind", ENCODER.dim, ENCODER.image_size
        prepare, embed = staticmethod(ENCODER.prepare), staticmethod(ENCODER.embed)

    clips = [demonstration(20)]
    fit = SMALL_FIT | {"steps": 10}
    reading = ProcessReward(ENCODER, instruction="make it green", fit=fit).fitted_to(clips)
    blind = ProcessReward(Blind(), instruction="make it green", fit=fit).fitted_to(clips)
    silent = ProcessReward(ENCODER, fit=fit).fitted_to(clips)
    assert reading.reader.text is not None
    assert blind.reader.text is silent.reader.text is None


def test_what_cannot_be_done_is_said(fitted):
    clip = rising()
    with pytest.raises(ValueError, match="this process reward was not fitted: give it at least one demonstration"):
        small_process().estimate_embedded(clip)
    side = EmbeddedClip(embedding=clip.embedding, cameras=("front", "side"), stamp=clip.stamp)
    with pytest.raises(ValueError, match=r"not trained with camera \['side'\]; it knows \['front', 'wrist'\]"):
        fitted.estimate_embedded(side)
    with pytest.raises(ValueError, match="weights need the cameras, duration and residual"):
        ProcessReward(ENCODER, weights=fitted.weights)


def test_what_it_cannot_learn_from_is_refused_by_name():
    clip = demonstration(10)
    with pytest.raises(ValueError, match="clips are empty; give at least one successful episode"):
        small_process().fitted_to([])
    with pytest.raises(ValueError, match="no clip is a success or has progress labels"):
        small_process().fitted_to([demonstration(10, success=False), demonstration(10, success=None)])
    side = EmbeddedClip(embedding=clip.clip.embedding, cameras=("front", "side"), stamp=clip.clip.stamp)
    with pytest.raises(ValueError, match=r"clips disagree on cameras: .*'side'"):
        small_process().fitted_to([clip, LabelledClip(clip=side, success=True)])
    label = torch.full((10,), torch.nan)
    label[3] = 0.5
    with pytest.raises(ValueError, match="1 frames have both a label and a picture; at least 2 are needed"):
        small_process().fitted_to([LabelledClip(clip=clip.clip, success=None, progress=label)])
