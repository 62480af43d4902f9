import math

import pytest
from demonstrations import ENCODER, demonstration, small_process

from robo_reward.models.process import ProcessReward
from robo_reward.models.process_fit_settings import FitSettings
from robo_reward.perception.fitting import FitProgress


def test_pictures_are_moved_while_they_are_learnt_as_much_as_is_said():
    clips, losses = [demonstration(30, seed=1), demonstration(36, seed=2)], {}
    for disturbance in (0.0, 0.2, 1.0):
        told: list[FitProgress] = []
        settings = small_process().settings
        fit = settings["fit"] | {"disturbance": disturbance}
        ProcessReward(ENCODER, **(settings | {"fit": fit})).fitted_to(clips, on_epoch=told.append)
        losses[disturbance] = told[-1].training_error
    assert losses[0.0] < losses[0.2] < losses[1.0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"members": 0}, "members must be >= 1, got 0"),
        ({"width": 12}, "width must be a multiple of 16, got 12"),
        ({"num_steps": 0}, "num_steps must be >= 1 or null, got 0"),
        ({"disturbance": -0.1}, "disturbance must be finite and >= 0, got -0.1"),
        ({"disturbance": math.inf}, "disturbance must be finite and >= 0, got inf"),
        ({"disturbance": math.nan}, "disturbance must be finite and >= 0, got nan"),
    ],
)
def test_settings_of_a_fit_are_checked(wrong, message):
    with pytest.raises(ValueError, match=message):
        FitSettings(**wrong)
