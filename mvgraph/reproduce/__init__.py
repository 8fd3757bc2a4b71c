"""Recipes that chain the rooms, stage by cached stage: from raw clips to the paper's tables."""
