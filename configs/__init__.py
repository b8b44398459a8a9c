"""YAML files, as package data: default.yaml, and a folder for each thing that can be picked by name."""
