"""Turn one configuration into one record."""
