"""The serving runtime as a Ray Serve application, for Serve's own commands (docs/serving.md).

serve run serve.app:app config=configs/flights.yaml --route-prefix /flights
"""

from ray.serve import Application

from trivium.runtimes.serving.application import ServingArgs, build


def app(args: ServingArgs) -> Application:
    """Return the application of the pipeline file that the arguments name."""
    return build(args)
