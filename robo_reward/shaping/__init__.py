"""From progress to potential to reward: pure functions under one law."""
