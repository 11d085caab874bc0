"""Floor 0: everything an executor's author imports, and nothing that does I/O."""
