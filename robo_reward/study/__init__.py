"""What many trainings come to: runs and their results, statistics over seeds, verdicts, tables, plots and the page."""
