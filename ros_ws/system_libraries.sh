#!/bin/sh
# What building ROS messages needs of the system: a C++ compiler and Python's headers. Installs them where that is
# permitted; otherwise prints the exact command and stops. cmake and ninja come as wheels where the system has none.
set -eu
python="${1:-python3}"
version=$("$python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
packages=""
command -v g++ > /dev/null || packages="g++"
"$python" -c 'import pathlib, sys, sysconfig; sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())' ||
    packages="$packages python$version-dev"
[ -n "$packages" ] || exit 0
if ! command -v apt-get > /dev/null; then
    echo "Building ROS messages needs a C++ compiler and the headers of Python $version; install them with your system's package manager." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=env
elif command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
    as_root="sudo env"
else
    echo "Building ROS messages needs system packages. Run this, then the same command again:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y $packages" >&2
    exit 1
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages
