import math

import pytest
import torch
from fake_encoder import FakeEncoder
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from robo_reward.models.prompt_similarity import UNMEASURED, PromptSimilarity, goal_baseline_similarity
from robo_reward.models.similarity_readout import SimilarityReadout, fit_readout
from robo_reward.perception.encoder import EmbeddedClip
from robo_reward.perception.fitting import LabelledClip

ALPHAS = [0.0, 0.25, 0.5, 0.75, 1.0]


def unit(seed: int, *shape: int) -> torch.Tensor:
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=-1)


def published(image, goal, baseline, alpha):
    """Definition 1 with the explicit D×D projection, as the authors' code computes it."""
    direction = goal - baseline
    projection = torch.outer(direction, direction) / direction.norm() ** 2
    matrix = alpha * projection + (1 - alpha) * torch.eye(len(goal), dtype=goal.dtype)
    return 1 - 0.5 * ((image - goal) @ matrix).norm(dim=-1) ** 2


@pytest.mark.parametrize("alpha", ALPHAS)
@given(seed=st.integers(0, 10_000), dim=st.integers(2, 64))
def test_the_closed_form_is_the_published_one(alpha, seed, dim):
    image, goal, baseline = unit(seed, 5, dim), unit(seed + 1, dim), unit(seed + 2, dim)
    assume(float((goal - baseline).norm()) > 0.1)  # nearer together, single precision has no direction left
    closed = goal_baseline_similarity(image, goal, baseline, alpha=alpha)
    torch.testing.assert_close(closed, published(image, goal, baseline, alpha), atol=1e-10, rtol=1e-10)
    single = goal_baseline_similarity(image.float(), goal.float(), baseline.float(), alpha=alpha)
    assert float((single - closed).abs().max()) < 2e-6
    assert bool(((closed >= -1 - 1e-9) & (closed <= 1 + 1e-9)).all())


def test_alpha_zero_is_the_cosine_and_the_goal_is_one_whatever_alpha():
    image, goal, baseline = unit(0, 9, 16), unit(1, 16), unit(2, 16)
    torch.testing.assert_close(goal_baseline_similarity(image, goal, baseline, alpha=0.0), image @ goal)
    for alpha in ALPHAS:
        assert float(goal_baseline_similarity(goal, goal, baseline, alpha=alpha)) == 1.0
    at_baseline = goal_baseline_similarity(baseline, goal, baseline, alpha=1.0)
    assert float(at_baseline) == pytest.approx(float(goal @ baseline), abs=1e-12)


def test_projecting_on_the_plane_or_through_the_origin_is_another_function():
    image, goal, baseline = unit(0, 16), unit(1, 16), unit(2, 16)
    line = float(goal_baseline_similarity(image, goal, baseline, alpha=0.5))
    basis, _ = torch.linalg.qr(torch.stack([goal, baseline], dim=1))
    on_plane = basis @ (basis.T @ image)
    plane = float(1 - 0.5 * (0.5 * on_plane + 0.5 * image - goal).norm() ** 2)
    assert abs(line - plane) > 0.005


def test_goal_equal_to_baseline_is_refused():
    goal = unit(0, 8)
    with pytest.raises(ValueError, match="goal equals baseline: their embeddings leave no direction"):
        goal_baseline_similarity(goal, goal, goal, alpha=0.5)


def test_alpha_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"alpha must be in \[0, 1\], got 1.5"):
        goal_baseline_similarity(unit(0, 8), unit(1, 8), unit(2, 8), alpha=1.5)


def test_noise_orthogonal_to_the_line_hurts_less_with_a_larger_alpha():
    """The reason for alpha: EPIC distance to the goal label falls as orthogonal noise is projected away."""
    generator = torch.Generator().manual_seed(0)
    goal, baseline = torch.eye(64, dtype=torch.float64)[0], torch.eye(64, dtype=torch.float64)[1]
    label = torch.arange(400) % 2 == 0
    clean = torch.where(label[:, None], goal, baseline)
    noise = torch.randn(400, 64, generator=generator, dtype=torch.float64) * 0.4
    noise[:, :2] = 0
    image = clean + noise * torch.rand(400, 1, generator=generator, dtype=torch.float64)

    def distance(alpha: float) -> float:
        pair = torch.stack([goal_baseline_similarity(image, goal, baseline, alpha=alpha), label.double()])
        return math.sqrt(max(0.0, (1 - float(torch.corrcoef(pair)[0, 1])) / 2))

    distances = [distance(alpha) for alpha in ALPHAS]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > distances[-1] + 0.01


def model(**changes) -> PromptSimilarity:
    arguments = {"goal": ["a green square"], "baseline": ["a red square"], "alpha": 0.5} | changes
    return PromptSimilarity(FakeEncoder(), **arguments)


def shown(*clips: EmbeddedClip) -> list[LabelledClip]:
    return [LabelledClip(clip=clip, success=True) for clip in clips]


def ramp(cameras=("front",), *, time: int = 21, seed: int = 0) -> EmbeddedClip:
    """From red to green by the fake encoder, every camera alike."""
    share = torch.linspace(0, 1, time)[:, None, None, None]
    red, green = torch.tensor([255.0, 0, 0])[:, None, None], torch.tensor([0, 255.0, 0])[:, None, None]
    frames = (red * (1 - share) + green * share).expand(-1, -1, 16, 16).round().to(torch.uint8)
    embedding = FakeEncoder(seed=seed).embed(frames)[None, :, None].expand(-1, -1, len(cameras), -1).contiguous()
    stamp = torch.arange(time, dtype=torch.float64)[None]
    return EmbeddedClip(embedding=embedding, cameras=tuple(cameras), stamp=stamp)


def readout(*weight: float, offset: float = 0.0, residual: float = 0.05) -> SimilarityReadout:
    return SimilarityReadout(weight=weight, offset=offset, residual=residual)


def test_without_a_readout_progress_is_the_zero_shot_probability_and_its_error_unmeasured():
    clip = ramp()
    estimate = model().estimate_embedded(clip)
    encoder = FakeEncoder()
    logits = (
        20.0 * clip.embedding[0, :, 0].double() @ encoder.encode_text(["a green square", "a red square"]).double().T
    )
    torch.testing.assert_close(estimate.progress[0], logits.softmax(dim=-1)[:, 0].float(), atol=1e-6, rtol=0)
    torch.testing.assert_close(estimate.spread, torch.full_like(estimate.spread, UNMEASURED))


@pytest.mark.parametrize("demonstrations", [1, 2, 3])
def test_a_fitted_readout_runs_along_the_demonstrations(demonstrations):
    fitted = model().fitted_to(shown(*(ramp(time=21 + 7 * number) for number in range(demonstrations))))
    progress = fitted.estimate_embedded(ramp(time=50)).progress[0]
    torch.testing.assert_close(progress, torch.linspace(0, 1, 50), atol=0.15, rtol=0)
    assert float(fitted.estimate_embedded(ramp()).spread.max()) < 0.2


def test_the_readout_is_ridge_regression_and_its_residual_is_from_demonstrations_left_out():
    """Against scikit-free normal equations on standardised columns, and the residual by hand for two demonstrations."""
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(30, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    first[:, 0] += 4 * torch.linspace(0, 1, 30)
    second[:, 0] += 4 * torch.linspace(0, 1, 30)
    fitted = fit_readout("front", [first, second])
    time = torch.linspace(0, 1, 30, dtype=torch.float64)

    def plain(rows, target, ridge):
        centred = (rows - rows.mean(0)) / rows.std(0, correction=0)
        stacked = torch.cat([centred, math.sqrt(ridge * len(rows)) * torch.eye(3, dtype=torch.float64)])
        wanted = torch.cat([target - target.mean(), torch.zeros(3, dtype=torch.float64)])
        weight = torch.linalg.lstsq(stacked, wanted[:, None]).solution[:, 0] / rows.std(0, correction=0)
        return lambda new: ((new - rows.mean(0)) @ weight + target.mean()).clamp(0, 1)

    both, twice = torch.cat([first, second]), torch.cat([time, time])
    candidates = {}
    for ridge in (1e-4, 1e-3, 1e-2, 1e-1, 1.0):
        errors = [plain(first, time, ridge)(second) - time, plain(second, time, ridge)(first) - time]
        candidates[float(torch.cat(errors).square().mean().sqrt())] = ridge
    assert fitted.residual == pytest.approx(min(candidates))
    expected = plain(both, twice, candidates[min(candidates)])
    torch.testing.assert_close(fitted(first), expected(first), atol=1e-9, rtol=0)


def test_settings_rebuild_the_model_exactly():
    fitted = model().fitted_to(shown(ramp(("front", "wrist"))))
    again = PromptSimilarity(FakeEncoder(), **fitted.settings)
    clip = ramp(("front", "wrist"))
    assert again.version == fitted.version
    assert torch.equal(again.estimate_embedded(clip).progress, fitted.estimate_embedded(clip).progress)


def test_the_version_follows_encoder_prompts_and_readout():
    versions = {
        model().version,
        model(alpha=0.25).version,
        model(goal=["a blue square"]).version,
        model(renormalize=False, goal=["a green square", "white"]).version,
        model().fitted_to(shown(ramp())).version,
        PromptSimilarity(FakeEncoder(seed=1), goal=["a green square"], baseline=["a red square"], alpha=0.5).version,
    }
    assert len(versions) == 6
    assert model().version == model().version


def test_cameras_that_disagree_spread():
    agree = {"front": readout(0.0, 0.0, 0.0, offset=0.5), "wrist": readout(0.0, 0.0, 0.0, offset=0.5)}
    torn = agree | {"wrist": readout(0.0, 0.0, 0.0, offset=0.9)}
    clip = ramp(("front", "wrist"))
    assert float(model(readout=agree).estimate_embedded(clip).spread.max()) == pytest.approx(0.05)
    assert float(model(readout=torn).estimate_embedded(clip).spread[0, 0]) == pytest.approx(math.hypot(0.05, 0.2))


def test_a_camera_that_tells_less_counts_less():
    unsure = {"front": readout(0.0, 0.0, 0.0, offset=0.2), "wrist": readout(0.0, 0.0, 0.0, offset=0.8, residual=0.2)}
    progress = model(readout=unsure).estimate_embedded(ramp(("front", "wrist"))).progress
    assert float(progress[0, 0]) == pytest.approx((0.2 * 16 + 0.8) / 17)


def test_the_mean_of_several_prompts_has_unit_length_unless_the_published_code_is_asked_for():
    clip = ramp()
    several = {"goal": ["a green square", "a white square"], "alpha": 0.0}
    cosine_only = {"front": readout(1.0, 0.0, 0.0, 0.0)}
    unit_mean = model(**several, readout=cosine_only).estimate_embedded(clip).progress
    plain_mean = model(**several, readout=cosine_only, renormalize=False).estimate_embedded(clip).progress
    text = FakeEncoder().encode_text(several["goal"]).double().mean(dim=0)
    cosine = clip.embedding[0, :, 0].double() @ (text / text.norm())
    torch.testing.assert_close(unit_mean[0], cosine.clamp(0, 1).float(), atol=1e-6, rtol=0)
    assert float((unit_mean - plain_mean).abs().max()) > 1e-4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goal": []}, r"goal must be a list of at least one prompt, got \[\]"),
        ({"baseline": ["a red square", " "]}, "baseline contains an empty prompt"),
        ({"baseline": ["a green square"]}, "goal equals baseline"),
        ({"alpha": -0.1}, r"alpha must be in \[0, 1\], got -0.1"),
        (
            {"readout": {"front": {"weight": [1.0], "offset": 0.0, "residual": 0.1}}},
            "read-out of camera 'front' has 1 weights, the prompts ask 3",
        ),
        (
            {"readout": {"front": {"weight": [], "offset": 0.0, "residual": 0.1}}},
            "weight and offset must be finite numbers",
        ),
        (
            {"readout": {"front": {"weight": [1.0, 0.0, 0.0], "offset": 0.0, "residual": 0.0}}},
            "residual must be > 0 and finite, got 0.0",
        ),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        model(**changes)


def test_a_prompt_that_is_one_string_is_refused():
    with pytest.raises(ValueError, match="goal must be a list of at least one prompt, got 'open'"):
        model(goal="open")


def test_an_unknown_camera_is_refused():
    with pytest.raises(ValueError, match=r"no read-out was fitted for camera \['wrist'\]; fitted: \['front'\]"):
        model().fitted_to(shown(ramp())).estimate_embedded(ramp(("front", "wrist")))


def test_demonstrations_that_cannot_be_fitted_are_refused():
    still = ramp()
    still = EmbeddedClip(
        embedding=still.embedding[:, :1].expand_as(still.embedding), cameras=("front",), stamp=still.stamp
    )
    with pytest.raises(ValueError, match=r"no camera of \['front'\] tells more of the demonstrations' progress than a"):
        model().fitted_to(shown(still, still))
    with pytest.raises(ValueError, match="demonstrations are empty"):
        model().fitted_to(shown())
    with pytest.raises(ValueError, match="demonstrations disagree on cameras"):
        model().fitted_to(shown(ramp(), ramp(("wrist",))))
    with pytest.raises(ValueError, match="camera 'front': a demonstration needs at least two frames"):
        model().fitted_to(shown(ramp(time=1)))
