"""The table-top arm in thousands of worlds on one device: MuJoCo Warp moves them, ray casting takes their pictures.

Physics, pictures, encoder, rewards and learner share one device. Needs the extra `warp`, which excludes `sim`; see
docs/warp.md.
"""
