"""Is a reward to be trusted: metrics, negative controls, report."""
