"""The environments of VLM-RM (2310.12921), with its cameras, textures and changes; importing this registers them.

`robo_reward/VlmRmCartPole-v0`, `…MountainCar-v0` and `…Humanoid-v0`. All last a fixed number of steps and then are
truncated; none terminates. Textures are made here, in the spirit of the paper's pictures, which are not ours to ship.
"""

import gymnasium

for _name, _entry in (
    ("CartPole", "cart_pole:UprightCartPole"),
    ("MountainCar", "mountain_car:TexturedMountainCar"),
    ("Humanoid", "humanoid:PosingHumanoid"),
):
    _id = f"robo_reward/VlmRm{_name}-v0"
    if _id not in gymnasium.registry:
        gymnasium.register(_id, entry_point=f"robo_reward_sim.vlm_rm.{_entry}", order_enforce=True)
