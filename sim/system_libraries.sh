#!/bin/sh
# Headless rendering needs EGL and a software OpenGL driver. Installs them where that is permitted; otherwise prints the
# exact command and stops.
set -eu
packages="libegl1 libegl-mesa0 libgl1-mesa-dri libgles2"
python="${1:-python3}"
if "$python" -c "import ctypes; ctypes.CDLL('libEGL.so.1'); ctypes.CDLL('libEGL_mesa.so.0')" 2>/dev/null ||
    "$python" -c "import ctypes; ctypes.CDLL('libEGL.so.1'); ctypes.CDLL('libEGL_nvidia.so.0')" 2>/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Headless rendering needs EGL (libEGL.so.1) and a driver (Mesa or NVIDIA); install them with your system's package manager." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo apt-get update -qq
    sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages
else
    echo "Headless rendering needs system libraries. Run this, then the same make command again:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y $packages" >&2
    exit 1
fi
