"""From one configuration to one record."""
