"""Actor and critics of soft actor-critic, the critics with layer normalisation: they extrapolate less wildly."""

from typing import final

from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.sac.policies import SACPolicy
from torch import nn


@final
class NormalisedSacPolicy(SACPolicy):
    """SAC's networks with a layer normalisation before each activation of the critics.

        h ← ReLU(LayerNorm(W h + b))

    The norm of the last hidden layer, and with it |Q|, is bounded by the weights whatever the action: a critic cannot
    promise ever more for actions that nobody took, after which a policy that had learnt a task loses it.

    Source:
        Ball et al. 2023 (RLPD, 2302.02948), section 4.2.
    """

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> ContinuousCritic:
        """Give critics with layer normalisation."""
        critic = super().make_critic(features_extractor)
        critic.q_networks = [_normalised(network) for network in critic.q_networks]
        for number, network in enumerate(critic.q_networks):
            critic.add_module(f"qf{number}", network)  # in the place of the one without
        return critic.to(self.device)


def _normalised(network: nn.Module) -> nn.Sequential:
    layers: list[nn.Module] = []
    for layer in network.children():
        layers.append(layer)
        if isinstance(layer, nn.Linear) and layer.out_features > 1:
            layers.append(nn.LayerNorm(layer.out_features))
    return nn.Sequential(*layers)
