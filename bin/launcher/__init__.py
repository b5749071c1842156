"""What `bin/dev`, `bin/test` and `bin/bench` do once the virtual environment stands."""
