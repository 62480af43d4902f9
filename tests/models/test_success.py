import pytest
import torch
from fake_encoder import FakeEncoder

from robo_reward.models.success import SuccessClassifier, SuccessModel
from robo_reward.perception.encoder import EmbeddedClip
from robo_reward.perception.fitting import LabelledClip

ENCODER = FakeEncoder()
CAMERAS = ("front", "wrist", "wall")
DIM, TIME = 40, 30


def episode(seed: int, *, success: bool, noise: float = 1.0, strength: float = 4.0) -> LabelledClip:
    """What tells success is one direction among larger others; the camera at the wall sees nothing of it."""
    shared, own = torch.Generator().manual_seed(7), torch.Generator().manual_seed(seed)
    ways = torch.randn(3, 4, DIM, generator=shared)
    tell = torch.nn.functional.normalize(torch.randn(3, DIM, generator=shared), dim=-1)
    shown = (torch.arange(TIME) >= 0.95 * (TIME - 1)).float() * success
    wander = torch.randn(4, generator=own).cumsum(0)[None] + torch.randn(TIME, 4, generator=own) * 0.3
    embedding = torch.einsum("tk,vkd->tvd", wander, ways) + noise * torch.randn(TIME, 3, DIM, generator=own)
    embedding[:, :2] += strength * shown[:, None, None] * tell[:2]
    stamp = torch.arange(TIME, dtype=torch.float64)[None]
    return LabelledClip(clip=EmbeddedClip(embedding=embedding[None], cameras=CAMERAS, stamp=stamp), success=success)


def episodes(number: int, *, first: int = 0, **how: float) -> list[LabelledClip]:
    return [episode(first + seed, success=seed % 2 == 0, **how) for seed in range(number)]


@pytest.fixture(scope="module")
def fitted() -> SuccessClassifier:
    return SuccessClassifier(ENCODER).fitted_to(episodes(16))


def known(model: SuccessClassifier, clips: list[LabelledClip]) -> tuple[torch.Tensor, torch.Tensor]:
    probability = torch.cat([model.probability(each.clip)[0] for each in clips]).double()
    label = torch.cat([model.labels(each) for each in clips])
    return probability[~label.isnan()], label[~label.isnan()]


def ranked(probability: torch.Tensor, label: torch.Tensor) -> float:
    """Area under the receiver operating characteristic."""
    return float((probability[label == 1][:, None] > probability[label == 0]).double().mean())


def test_it_is_a_success_model_and_no_reward_model(fitted):
    from robo_reward.reward_model import RewardModel

    assert isinstance(fitted, SuccessModel)
    assert not isinstance(fitted, RewardModel)


def test_success_frames_of_new_episodes_are_told_from_all_others(fitted):
    assert ranked(*known(fitted, episodes(40, first=100))) > 0.97


def test_a_camera_that_sees_nothing_of_it_is_not_asked(fitted):
    assert fitted.skills["wall"] < 0.05
    assert min(fitted.skills["front"], fitted.skills["wrist"]) > 0.2


def test_probabilities_are_calibrated_on_new_episodes():
    """Not merely ordered: where it says 0.2 to 0.8, success comes about as often; with many episodes to learn from."""
    hard = {"strength": 2.0}
    model = SuccessClassifier(ENCODER).fitted_to(episodes(60, **hard))
    probability, label = known(model, episodes(400, first=1000, **hard))
    assert float(probability.mean()) == pytest.approx(float(label.mean()), abs=0.02)
    for low, high in ((0.0, 0.1), (0.1, 0.4), (0.4, 0.8), (0.8, 1.0)):
        inside = (probability >= low) & (probability < high)
        assert int(inside.sum()) >= 30
        said, came = float(probability[inside].mean()), float(label[inside].mean())
        assert came == pytest.approx(said, abs=0.12), (low, high)


def test_an_absent_camera_is_done_without_and_with_none_it_abstains(fitted):
    clips = episodes(40, first=100)
    for each in clips:
        each.clip.embedding[:, :, 0] = torch.nan
    assert ranked(*known(fitted, clips)) > 0.9
    clip = episode(100, success=True).clip
    clip.embedding[:, 3, :2] = torch.nan
    probability = fitted.probability(clip)
    assert probability.isnan().nonzero().tolist() == [[0, 3]]
    assert probability.dtype == torch.float32


def test_before_a_fit_it_abstains():
    assert bool(SuccessClassifier(ENCODER).probability(episode(0, success=True).clip).isnan().all())


def test_a_batch_is_each_alone_and_the_present_does_not_depend_on_the_future(fitted):
    clips = [each.clip for each in episodes(3, first=50)]
    clips[1].embedding[:, 4:9, 1] = torch.nan
    both = EmbeddedClip(
        embedding=torch.cat([clip.embedding for clip in clips]),
        cameras=CAMERAS,
        stamp=torch.cat([clip.stamp for clip in clips]),
    )
    together = fitted.probability(both)
    for row, clip in enumerate(clips):
        alone = fitted.probability(clip)[0]
        assert torch.equal(alone, together[row])
        first = EmbeddedClip(embedding=clip.embedding[:, :5], cameras=CAMERAS, stamp=clip.stamp[:, :5])
        assert torch.equal(fitted.probability(first)[0], alone[:5])


def test_cameras_may_come_in_another_order_but_not_be_others(fitted):
    clip = episode(50, success=True).clip
    turned = EmbeddedClip(embedding=clip.embedding.flip(2), cameras=CAMERAS[::-1], stamp=clip.stamp)
    assert torch.allclose(fitted.probability(turned), fitted.probability(clip), atol=1e-6)
    other = EmbeddedClip(embedding=clip.embedding, cameras=("front", "wrist", "roof"), stamp=clip.stamp)
    with pytest.raises(ValueError, match=r"camera \['roof'\] was not fitted; fitted: \['front', 'wall', 'wrist'\]"):
        fitted.probability(other)


def test_settings_and_weights_rebuild_it(fitted):
    again = SuccessClassifier(ENCODER, **fitted.settings, weights=fitted.weights)
    clip = episode(50, success=True).clip
    assert torch.equal(again.probability(clip), fitted.probability(clip))
    assert again.version == fitted.version
    other = {name: tensor + (name == "0.weight") for name, tensor in fitted.weights.items()}
    assert SuccessClassifier(ENCODER, **fitted.settings, weights=other).version != fitted.version
    with pytest.raises(KeyError):
        SuccessClassifier(ENCODER, **fitted.settings)


def test_the_same_clips_give_the_same_classifier(fitted):
    assert SuccessClassifier(ENCODER).fitted_to(episodes(16)).version == fitted.version


def test_labels_follow_progress_where_someone_gave_it():
    model = SuccessClassifier(ENCODER, positive_from=0.9, negative_until=0.5)
    clip = episode(0, success=True)
    told = LabelledClip(clip=clip.clip, success=True, progress=torch.tensor([0.0, 0.5, 0.7, 0.95, torch.nan] * 6))
    assert model.labels(told).nan_to_num(-1).tolist() == [0, 0, -1, 1, -1] * 6
    assert model.labels(episode(0, success=False)).tolist() == [0.0] * TIME
    assert model.labels(clip)[-1] == 1
    assert model.labels(clip)[0] == 0


def test_what_it_cannot_learn_from_is_refused_by_name():
    model = SuccessClassifier(ENCODER)
    with pytest.raises(ValueError, match="at least two successful episodes are needed, got 1 of 3"):
        model.fitted_to([episode(0, success=True), episode(1, success=False), episode(2, success=False)])
    two = [episode(0, success=True), episode(2, success=True)]
    other = EmbeddedClip(embedding=two[0].clip.embedding, cameras=("a", "b", "c"), stamp=two[0].clip.stamp)
    with pytest.raises(ValueError, match="disagree on cameras"):
        model.fitted_to([*two, LabelledClip(clip=other, success=True)])
    low = LabelledClip(clip=two[0].clip, success=True, progress=torch.linspace(0, 0.8, TIME))
    with pytest.raises(ValueError, match="reaches progress 0.8 only; positives begin at 0.95"):
        model.fitted_to([low, two[1]])
    with pytest.raises(ValueError, match="no camera of .* tells success from failure"):
        model.fitted_to(episodes(8, strength=0.0))
    with pytest.raises(ValueError, match="nobody said"):
        model.labels(LabelledClip(clip=two[0].clip, success=None))
    with pytest.raises(ValueError, match="rank must be >= 1"):
        SuccessClassifier(ENCODER, rank=0)
    with pytest.raises(ValueError, match="negative_until < positive_from"):
        SuccessClassifier(ENCODER, negative_until=0.96)


def test_thousands_of_numbers_per_picture_are_no_trouble():
    generator = torch.Generator().manual_seed(0)
    lift = torch.randn(DIM, 9000, generator=generator) / 10
    clips = []
    for each in episodes(8):
        wide = EmbeddedClip(embedding=each.clip.embedding @ lift, cameras=CAMERAS, stamp=each.clip.stamp)
        clips.append(LabelledClip(clip=wide, success=each.success))
    model = SuccessClassifier(ENCODER).fitted_to(clips)
    assert max(tensor.numel() for tensor in model.weights.values()) == 32 * 9000
    assert ranked(*known(model, clips)) > 0.95
