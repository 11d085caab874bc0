"""The batch runtime as a Ray job: takes the arguments of `trivium run batch`, ends in the same exit codes.

ray job submit --working-dir . --runtime-env jobs/runtime_env.yaml -- python jobs/run_batch.py configs/flights.yaml
"""

import sys

from trivium.cli.main import program

if __name__ == "__main__":
    program(["run", "batch", *sys.argv[1:]], prog_name="trivium")
