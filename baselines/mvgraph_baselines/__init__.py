"""Baselines and controls, registered with mvgraph from outside through entry points."""
