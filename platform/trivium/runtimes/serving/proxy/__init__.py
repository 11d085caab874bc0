"""The proxy in front of the replicas: HAProxy or a plain one."""
