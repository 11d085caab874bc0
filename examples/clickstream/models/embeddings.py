"""Embeddings of products as an application of Ray Serve: `serve run models.embeddings:app --name embeddings`.

A stand-in for a model: the vector of a product is made of the digest of its number, so it is the same everywhere.
"""

from hashlib import sha512

from ray import serve

LENGTH = 16


def vector_of(product: str) -> list[float]:
    """Return the vector of a product, numbers from -1 to 1 that a Float32 holds exactly."""
    digest = sha512(product.encode()).digest()
    return [int.from_bytes(digest[place : place + 2]) / 32768 - 1 for place in range(0, 2 * LENGTH, 2)]


@serve.deployment(ray_actor_options={"num_cpus": 0})
class Embeddings:
    """Answers a batch of products with their vectors; None for what is no product of the shop."""

    def __call__(self, products: list[str]) -> list[dict[str, list[float]] | None]:
        """Return an answer for each product, in their order."""
        return [{"vector": vector_of(each)} if each.startswith("p-") else None for each in products]


app = Embeddings.bind()
