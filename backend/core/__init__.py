"""What everything else stands on; knows nothing of the features above it."""
