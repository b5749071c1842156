"""The search of the palette."""
