"""What to do where: key-point plans asked of a model, clicked or written, found in space, kept with their sources."""
