"""Tables of facts that answer by key: hashed, sorted, searched by vectors, looked at again beside the path."""
