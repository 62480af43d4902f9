import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robo_reward.models.polyline import polyline_potential, segment_shares, spread_along

WAY = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 2, 0], [1, 2, 3]], dtype=torch.float64)
THIRDS = segment_shares(WAY, weighting="segments")


def along(*point, way=WAY, share=THIRDS, allowed=None):
    return polyline_potential(torch.tensor([point], dtype=torch.float64), way, share=share, allowed=allowed)


def on_the_way(place):
    """The point after `place` segments."""
    segment = min(int(place), 2)
    return WAY[segment] + (place - segment) * (WAY[segment + 1] - WAY[segment])


def test_it_rises_from_0_to_1_along_the_way():
    points = torch.stack([on_the_way(place) for place in torch.linspace(0, 3, 301).tolist()])
    potential = polyline_potential(points, WAY, share=THIRDS).potential
    assert torch.allclose(potential, torch.linspace(0, 1, 301, dtype=torch.float64), atol=1e-12)
    assert float(potential[0]) == 0
    assert bool((potential.diff() > 0).all())


@given(st.floats(0, 3), st.floats(0, 3))
def test_further_along_the_way_is_never_less(one, other):
    low, high = sorted((one, other))
    points = torch.stack([on_the_way(low), on_the_way(high)])
    potential = polyline_potential(points, WAY, share=THIRDS).potential
    assert potential[0] <= potential[1] + 1e-12


@given(st.tuples(*[st.floats(-5, 5)] * 3))
def test_it_is_the_formula_of_the_reconstruction(point):
    p = torch.tensor(point, dtype=torch.float64)
    best = (torch.inf, 0, 0.0)
    for k in range(3):
        d = WAY[k + 1] - WAY[k]
        t = min(1.0, max(0.0, float((p - WAY[k]) @ d / (d @ d))))
        distance = float((p - WAY[k] - t * d).norm())
        if distance < best[0] - 1e-12:
            best = (distance, k, t)
    found = polyline_potential(p[None], WAY, share=THIRDS)
    assert float(found.distance[0]) == pytest.approx(best[0], abs=1e-9)
    if best[0] > 1e-6:  # at a corner two segments are equally near and rounding decides
        other = polyline_potential(p[None], WAY, share=THIRDS, allowed=torch.arange(3)[None] == best[1])
        assert float(other.potential[0]) == pytest.approx((best[1] + best[2]) / 3, abs=1e-9)


def test_of_equally_near_segments_the_first_counts():
    fork = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, 0]], dtype=torch.float64)  # there and back
    found = along(0.5, 0.2, 0.0, way=fork, share=torch.full((2,), 0.5, dtype=torch.float64))
    assert int(found.segment[0]) == 0
    assert float(found.potential[0]) == 0.25


def test_by_arc_length_a_segment_is_worth_its_length():
    share = segment_shares(WAY, weighting="arc_length")
    assert share.tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    assert float(along(1.0, 1.0, 0.0, share=share).potential[0]) == pytest.approx(2 / 6)


def test_a_last_step_leaves_room_for_itself():
    assert segment_shares(WAY, weighting="segments", last_step=True).tolist() == pytest.approx([0.25] * 3)
    assert float(segment_shares(WAY, weighting="arc_length", last_step=True).sum()) == pytest.approx(0.75)


def test_segments_that_are_not_allowed_are_not_looked_at():
    only_last = torch.tensor([[False, False, True]])
    found = along(0.5, 0.0, 0.0, allowed=only_last)
    assert (int(found.segment[0]), float(found.potential[0])) == (2, pytest.approx(2 / 3))
    nobody = along(0.5, 0.0, 0.0, allowed=torch.zeros(1, 3, dtype=torch.bool))
    assert int(nobody.segment[0]) == -1
    assert bool(nobody.potential.isnan().all())


def test_an_unknown_point_is_nowhere():
    found = along(0.5, float("nan"), 0.0)
    assert bool(found.potential.isnan().all() & found.distance.isnan().all() & found.gradient.isnan().all())


def test_a_point_gets_the_same_bits_alone_and_among_others():
    points = torch.randn(4, 33, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    together = polyline_potential(points, WAY, share=THIRDS).potential
    alone = [
        [float(polyline_potential(point[None], WAY, share=THIRDS).potential[0]) for point in row] for row in points
    ]
    assert together.tolist() == alone


def test_the_gradient_is_that_of_the_potential():
    point = torch.tensor([[0.4, 0.1, 0.05], [1.1, 0.9, 0.02], [0.9, 2.05, 1.2]], dtype=torch.float64)
    leaf = point.clone().requires_grad_()
    polyline_potential(leaf, WAY, share=THIRDS).potential.sum().backward()
    assert torch.allclose(polyline_potential(point, WAY, share=THIRDS).gradient, leaf.grad)


def test_the_spread_is_that_of_many_noisy_points():
    random = torch.Generator().manual_seed(0)
    root = torch.tensor([[0.02, 0, 0], [0.01, 0.03, 0], [0.0, 0.005, 0.01]], dtype=torch.float64)
    noise = torch.randn(200_000, 3, dtype=torch.float64, generator=random) @ root.T
    centre = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    measured = polyline_potential(centre + noise, WAY, share=THIRDS).potential.std()
    gradient = polyline_potential(centre[None], WAY, share=THIRDS).gradient
    assert float(spread_along(gradient, (root @ root.T)[None])[0]) == pytest.approx(float(measured), rel=0.01)


def test_beyond_an_end_the_spread_is_an_upper_bound():
    gradient = along(-1.0, 0.0, 0.0).gradient
    assert float(spread_along(gradient, torch.eye(3, dtype=torch.float64)[None] * 0.01)[0]) == pytest.approx(0.1 / 3)


def test_a_segment_without_length_is_its_start():
    way = torch.tensor([[0.0, 0, 0], [0, 0, 0], [1, 0, 0]], dtype=torch.float64)
    half = torch.full((2,), 0.5, dtype=torch.float64)
    assert float(along(0.0, 0.0, 0.0, way=way, share=half).potential[0]) == 0
    assert float(along(0.5, 0.0, 0.0, way=way, share=half).potential[0]) == 0.75


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="the way has no length"):
        segment_shares(torch.zeros(3, 3, dtype=torch.float64), weighting="arc_length")
    with pytest.raises(ValueError, match="at least 2 vertices and a share per segment, got 4, 2"):
        along(0.0, 0.0, 0.0, share=THIRDS[:2])
