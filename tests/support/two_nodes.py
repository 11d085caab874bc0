"""A Ray cluster of two nodes of one CPU each, in a process of its own; prints its address.

A line on standard input ends the second node at once, as a machine that loses its power, and starts a third.
"""

import sys

from ray.cluster_utils import Cluster


def main() -> None:
    """Until the end of standard input."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    node = cluster.add_node(num_cpus=1)
    sys.stdout.write(f"{cluster.address}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        cluster.remove_node(node, allow_graceful=False)
        node = cluster.add_node(num_cpus=1)
        sys.stdout.write("replaced\n")
        sys.stdout.flush()
    cluster.shutdown()


if __name__ == "__main__":
    main()
