"""What is measured beside the product: programs of their own, run by the interpreter of var/bench-venv."""
