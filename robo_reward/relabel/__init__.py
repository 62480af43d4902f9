"""Put rewards into recorded data sets: plan, run, resume, provenance."""
