"""The path every event takes, whatever the runtime: no Ray, no connector by name, no I/O."""
