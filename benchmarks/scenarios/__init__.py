"""One module for each row of the table, each with `NAME` and `run(options) -> Result`."""
