"""torchvision imports beside any build of torch, and its own operators are never replaced."""

import subprocess
import sys

import pytest
import torch

from robo_reward.perception.torchvision_ops import declare_torchvision_ops

PROGRAM = """
from robo_reward.perception.torchvision_ops import declare_torchvision_ops
declare_torchvision_ops()
declare_torchvision_ops()
import torchvision
import open_clip
print(open_clip.__version__)
"""


def test_open_clip_imports_after_the_declaration():
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_declarations_are_kept_alive_and_made_once():
    assert declare_torchvision_ops() is declare_torchvision_ops()
    assert hasattr(torch.ops.torchvision, "nms")


@pytest.mark.gpu
@pytest.mark.skipif(torch.version.cuda is None, reason="this torch is a CPU build")
def test_nothing_is_declared_on_a_gpu_build():
    assert declare_torchvision_ops() is None
