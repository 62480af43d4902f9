"""Settings of a simulated arm with one small camera."""

from robo_reward_ros.sim_arm_core import ArmSettings


def settings(**changes) -> ArmSettings:
    given = {
        "task": "reach",
        "seed": 3,
        "cameras": ("front",),
        "height": 48,
        "width": 64,
        "period": 0.1,
        "step_duration": 0.1,
    }
    return ArmSettings(**(given | changes))
