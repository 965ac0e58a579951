"""Which models there are, and what is known about each.

``facts`` what is known about a model · ``bundled`` the models of the built-in provider as of this version ·
``endpoint`` asking a provider for its models · ``listing`` reading the answer · ``catalogue`` all of it together.
How a turn reaches a model is ``app_server.backend``; how models look on the wire is ``app_server.handlers.models``.
"""

from app_server.models.catalogue import ModelCatalogue
from app_server.models.facts import ModelFacts

__all__ = ["ModelCatalogue", "ModelFacts"]
