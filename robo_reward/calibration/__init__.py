"""Measures cameras with printed boards: intrinsics, hand-eye, rigs, and whether a rig has moved since."""
