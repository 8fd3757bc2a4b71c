"""TAU Urban Audio-Visual Scenes 2021: its layout on disk, its official split, and clips generated in that layout."""
