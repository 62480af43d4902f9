import platform
import subprocess
import sys

import pytest

TRAINED = """
import resource, sys, torch
from robo_reward.cli.freed_memory import keep_freed_memory
from robo_reward.training.fit_encoder import EncoderFit, EncoderLessons, fit_encoder

torch.set_num_threads(1)
if sys.argv[1] == "kept":
    assert keep_freed_memory()
pictures = torch.randint(0, 255, (64, 3, 84, 84), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
faults = []
weights = fit_encoder(
    EncoderLessons(pictures=pictures, camera=torch.zeros(64, dtype=torch.int64), target=torch.linspace(0, 1, 64)),
    EncoderFit(steps=6),
    on_step=lambda step, error: faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt),
)
print(faults[-1] - faults[1], float(sum(each.double().sum() for each in weights.values())).hex())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_what_training_frees_is_not_asked_for_anew_and_the_weights_are_the_same():
    (asked, weights), (kept, same) = (
        subprocess.run([sys.executable, "-c", TRAINED, told], check=True, capture_output=True, text=True).stdout.split()
        for told in ("given back", "kept")
    )
    assert int(kept) < int(asked) / 10
    assert same == weights
