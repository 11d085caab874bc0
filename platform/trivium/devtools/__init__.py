"""What developers use at their desk: scaffold, project layout."""
