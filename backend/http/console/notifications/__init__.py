"""The pages about notifications: the log, the types, the people."""
