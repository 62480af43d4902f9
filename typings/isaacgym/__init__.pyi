"""The part of NVIDIA's Isaac Gym (Preview 4) that this project uses; types only, from its public documentation."""
