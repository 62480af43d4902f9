"""Scenes that are rendered and captioned here, and the small CLIP that is trained on them."""
