"""Records over HTTP: find, read, write, many at once, across objects, their history and their files."""
