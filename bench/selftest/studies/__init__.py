"""Simulations behind the statistical claims of docs/, a file each."""
