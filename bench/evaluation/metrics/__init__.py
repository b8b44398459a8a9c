"""One file a metric, and what they share."""
