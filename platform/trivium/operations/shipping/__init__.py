"""The way of a project to a cluster: the lines that take it there, and what is looked at before."""
