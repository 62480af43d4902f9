"""What runs the image tower: one file per runtime, each with its stated difference from torch in float32."""
