"""`isaacgym.gymtorch`: buffers of the simulation as torch tensors."""

import torch
from isaacgym import gymapi

def wrap_tensor(gym_tensor: gymapi.Tensor) -> torch.Tensor: ...
