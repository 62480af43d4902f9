import pytest

from robo_reward.cli.failure import EXTRAS, failure_text


def test_a_missing_module_is_told_with_the_extra_that_brings_it():
    missing = ModuleNotFoundError("No module named 'rosbags.highlevel'", name="rosbags.highlevel")
    assert failure_text(missing) == "No module named 'rosbags.highlevel': pip install 'robo-reward[bags]'"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModuleNotFoundError("bags need rosbags: pip install 'robo-reward[bags]'", name="rosbags"), None),
        (ModuleNotFoundError("No module named 'other'", name="other"), None),
        (ModuleNotFoundError("nobody knows what"), None),
    ],
)
def test_what_is_already_said_or_not_known_stays_as_it_is(error, told):
    assert failure_text(error) == (told or str(error))


def test_every_extra_that_is_named_exists(request):
    project = (request.config.rootpath / "pyproject.toml").read_text()
    assert all(f"\n{extra} = [" in project for extra in EXTRAS.values())


def test_a_fault_of_the_program_is_not_the_users():
    assert failure_text(KeyError("x")) is None
