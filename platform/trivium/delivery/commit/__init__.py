"""The commit protocol: generations, positions and one committer."""
