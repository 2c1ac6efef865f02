"""One importer for each source of published weights."""

from engine.weights.published.contract import PUBLISHED, Importer, Published, compare

__all__ = ["PUBLISHED", "Importer", "Published", "compare"]
