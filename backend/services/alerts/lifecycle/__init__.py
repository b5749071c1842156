"""The states of an alert: what people do with it, and what happens by itself when it is due."""
