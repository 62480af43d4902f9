"""Data sets in and out, one file per format."""
