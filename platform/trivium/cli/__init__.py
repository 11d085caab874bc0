"""The command line: prints what `trivium.operations` and the runtimes find out. One file a group of commands."""
