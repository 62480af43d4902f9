"""Light table-top tasks on plain MuJoCo: a small arm reaches, pushes, picks and opens; importing this registers them.

`robo_reward/TableTopReach-v0`, `…Push-v0`, `…Pick-v0` and `…Open-v0` are `TableTopEnvironment`s.
"""

import gymnasium

for _task in ("reach", "push", "pick", "open"):
    _id = f"robo_reward/TableTop{_task.capitalize()}-v0"
    if _id not in gymnasium.registry:
        gymnasium.register(
            _id,
            entry_point="robo_reward_sim.table_top.environment:TableTopEnvironment",
            kwargs={"task": _task},
            order_enforce=True,
        )
