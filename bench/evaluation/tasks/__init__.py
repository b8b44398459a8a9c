"""What models do beside sampling."""
