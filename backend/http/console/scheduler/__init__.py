"""The pages about scheduled messages and system jobs."""
