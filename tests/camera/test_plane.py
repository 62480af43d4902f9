import numpy as np
import pytest

from robo_reward.camera.plane import Plane, ray_plane

TABLE = Plane(normal=np.array([0.0, 0.0, 1.0]), offset=0.2)


def test_a_ray_meets_the_table_where_it_points():
    origin, points = np.array([0.3, -0.2, 1.0]), np.array([[0.0, 0.0, 0.2], [0.5, 0.4, 0.2]])
    directions = (points - origin) / np.linalg.norm(points - origin, axis=-1, keepdims=True)
    np.testing.assert_allclose(ray_plane(origin, directions, TABLE), points, atol=1e-12)
    np.testing.assert_allclose(ray_plane(origin, directions[1], TABLE), points[1], atol=1e-12)


def test_a_ray_meets_any_plane_at_a_point_that_lies_on_both():
    rng = np.random.default_rng(0)
    for _ in range(50):
        plane = Plane.through(rng.normal(size=3), rng.normal(size=3))
        origin, direction = rng.normal(size=3), rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        if (plane.offset - plane.normal @ origin) * (plane.normal @ direction) < 0:
            direction = -direction
        point = ray_plane(origin, direction, plane)
        assert plane.normal @ point == pytest.approx(plane.offset, abs=1e-9)
        assert np.linalg.norm(np.cross(point - origin, direction)) < 1e-9


def test_a_parallel_ray_one_that_leads_away_and_an_unknown_one_meet_it_nowhere():
    origin = np.array([0.0, 0.0, 1.0])
    away = np.array([[1.0, 0.0, 0.0], [0.0, 0.6, 0.8], [np.nan, np.nan, np.nan], [0.0, 0.6, -0.8]])
    points = ray_plane(origin, away, TABLE)
    assert np.isnan(points).all(axis=-1).tolist() == [True, True, True, False]


def test_what_is_no_plane_is_refused():
    with pytest.raises(ValueError, match="normal must have length 1, got .* of length 2"):
        Plane(normal=np.array([0.0, 0.0, 2.0]), offset=0.0)
    with pytest.raises(ValueError, match="a plane must be finite, got normal .* and offset nan"):
        Plane(normal=np.array([0.0, 0.0, 1.0]), offset=float("nan"))
    with pytest.raises(ValueError, match="normal must not be zero"):
        Plane.through(np.zeros(3), np.zeros(3))
