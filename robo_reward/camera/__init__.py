"""Where cameras are and how they see: intrinsics, poses, rigs, rays and points. Geometry only, no learning."""
