"""What judges the measurements is itself judged here: it has to notice a client that is wrong."""
