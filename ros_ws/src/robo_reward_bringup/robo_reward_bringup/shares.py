"""Where this package's files lie: beside its sources, or where colcon installed them. No ROS."""

from pathlib import Path

PACKAGE = "robo_reward_bringup"


def share() -> Path:
    """Give the folder that holds config/, launch/ and security/.

    Raises:
        FileNotFoundError: Neither the sources nor an installed share folder is there.
    """
    beside = Path(__file__).resolve().parents[1]
    if (beside / "config" / "robots").is_dir():
        return beside
    from ament_index_python.packages import get_package_share_directory  # noqa: PLC0415 (only where colcon installed)

    return Path(get_package_share_directory(PACKAGE))


def robot_names() -> list[str]:
    """Give the robots that come along."""
    return sorted(each.stem for each in (share() / "config" / "robots").glob("*.yaml"))


def robot_path(name: str) -> Path:
    """Give a robot's file: one that comes along by its name, any other by its path.

    Raises:
        ValueError: No such robot.
    """
    path = Path(name).expanduser() if name.endswith((".yaml", ".yml")) else None
    if path is None:
        path = share() / "config" / "robots" / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"no robot '{name}': there are {', '.join(robot_names())}, or name a YAML file")
    return path


def transport_profile() -> Path:
    """Give the Fast DDS profile for large pictures."""
    return share() / "config" / "dds" / "large_images.xml"
