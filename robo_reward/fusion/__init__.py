"""Several views or models to one estimate, with their disagreement as spread."""
