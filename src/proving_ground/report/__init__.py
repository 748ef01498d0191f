"""From event logs to results, and from results to reports for people and programs."""
