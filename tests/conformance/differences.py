"""All differences between the two servers that a client could tell, each held by a test of this folder."""

from collections.abc import Mapping
from typing import Final

from tests.conformance.declaration import Difference, Side

DIFFERENCES: Final[Mapping[str, Difference]] = {
}
