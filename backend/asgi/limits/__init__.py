"""What bounds a request before anybody knows whose it is: heads, bodies, connections, waiting requests, memory."""
