"""What the learner acts and judges by: two small networks on observations in their own units."""

# torchrl is not in the environment that types are checked in
# pyright: reportMissingImports=false

from collections.abc import Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from tensordict.nn import InteractionType, TensorDictModule, set_interaction_type
from tensordict.nn.distributions import NormalParamExtractor
from torch import Tensor, nn
from torchrl.modules import MLP, ProbabilisticActor, TanhNormal, ValueOperator

from robo_reward_sim.table_top.kinematics import MAX_WIDTH, WORKSPACE

ACTION_SIZE = 4
OBSERVATION, ACTION, LOG_PROB, VALUE = "observation", "action", "action_log_prob", "state_value"
"""Names of a transition's numbers, as TorchRL's loss looks for them."""


@final
class ObservationUnits(nn.Module):
    """Brings metres to about [-1, 1]: positions by the workspace, widths by their range."""

    centre: Tensor
    extent: Tensor

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        centre, extent = zip(*(_range(name) for name in names), strict=True)
        self.register_buffer("centre", torch.tensor(centre))
        self.register_buffer("extent", torch.tensor(extent))

    def forward(self, observation: Float[Tensor, "*batch number"]) -> Float[Tensor, "*batch number"]:
        """Give the observation without units."""
        return (observation - self.centre) / self.extent


def _range(name: str) -> tuple[float, float]:
    """Give the middle and half of the range of one number of an observation."""
    short = name.split(" ", maxsplit=1)[0]
    if short[-2:] in ("_x", "_y", "_z"):
        lower, upper = WORKSPACE[:, "xyz".index(short[-1])]
    else:
        lower, upper = 0.0, {"gripper_width": MAX_WIDTH, "opening": 0.15}[short]
    return float(lower + upper) / 2, float(upper - lower) / 2


def actor(names: Sequence[str], *, hidden: Sequence[int]) -> Any:
    """Make the policy: a Gaussian squashed to [-1, 1] by the hyperbolic tangent."""
    layers = [ObservationUnits(names), _network(len(names), 2 * ACTION_SIZE, hidden), NormalParamExtractor()]
    return ProbabilisticActor(
        TensorDictModule(nn.Sequential(*layers), in_keys=[OBSERVATION], out_keys=["loc", "scale"]),
        in_keys=["loc", "scale"],
        out_keys=[ACTION],
        distribution_class=TanhNormal,
        return_log_prob=True,
        log_prob_key=LOG_PROB,
        default_interaction_type=InteractionType.RANDOM,
    )


def critic(names: Sequence[str], *, hidden: Sequence[int]) -> Any:
    """Make what judges states."""
    layers = [ObservationUnits(names), _network(len(names), 1, hidden)]
    return ValueOperator(nn.Sequential(*layers), in_keys=[OBSERVATION], out_keys=[VALUE])


def best_action(policy: Any, observation: Float[Tensor, "world number"]) -> Float[Tensor, "world 4"]:
    """Give the policy's action without exploration."""
    with torch.no_grad(), set_interaction_type(InteractionType.DETERMINISTIC):
        return policy(observation=observation)[2]


def _network(inputs: int, outputs: int, hidden: Sequence[int]) -> nn.Module:
    return MLP(in_features=inputs, out_features=outputs, num_cells=list(hidden), activation_class=nn.Tanh)
