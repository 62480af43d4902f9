"""Devices are what was asked for, or an error."""

import pytest
import torch

from robo_reward.errors import EncoderError
from robo_reward.perception import device as device_module
from robo_reward.perception.device import require_bfloat16, resolve_device


def test_the_processor_is_there():
    assert resolve_device("cpu") == torch.device("cpu")


def test_the_automatic_device_is_cuda_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")


def test_a_cuda_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EncoderError, match="'cuda' is not to be had: torch .* sees no CUDA device"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(EncoderError, match="there are 2 CUDA devices"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["", "tpu", "cuda:x", "cpu:0", "CUDA"])
def test_an_unknown_device_is_refused_with_those_allowed(name):
    with pytest.raises(EncoderError, match="allowed: auto, cpu, cuda"):
        resolve_device(name)


def test_bfloat16_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(device_module, "_processor_has_bfloat16", lambda: False)
    with pytest.raises(EncoderError, match="choose precision=float32"):
        require_bfloat16(torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(EncoderError, match="Ampere or later"):
        require_bfloat16(torch.device("cuda"))
