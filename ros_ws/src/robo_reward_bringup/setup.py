"""An ament_python package: the launch files, and the plain Python that they turn into launch actions."""

from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
SHARE = "share/robo_reward_bringup"


def files(folder: str) -> tuple[str, list[str]]:
    """Give where a folder's files go, and which they are."""
    return f"{SHARE}/{folder}", [str(each.relative_to(HERE)) for each in sorted((HERE / folder).glob("*.*"))]


setup(
    name="robo_reward_bringup",
    version="0.1.0",
    packages=["robo_reward_bringup"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/robo_reward_bringup"]),
        (SHARE, ["package.xml"]),
        *(files(folder) for folder in ("launch", "config/robots", "config/dds", "security")),
    ],
    install_requires=["setuptools"],
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "activate = robo_reward_bringup.activate:main",
            "bring_up = robo_reward_bringup.__main__:main",
            "robot_ok_relay = robo_reward_bringup.robot_ok_relay:main",
        ]
    },
)
