"""What we export agrees with the facts of the reference's experimental schema (``schema_facts.py``)."""

import json
from typing import Any, Final

import pytest

from protocol.export.declarations import CATALOGUE, read_surface
from protocol.export.json_schema import json_files
from tests.unit.protocol.schema_facts import FACTS_FILE, MESSAGES, Bundle

REFERENCE: Final[dict[str, Any]] = json.loads(FACTS_FILE.read_text(encoding="utf-8"))
REFERENCE_TYPES: Final[dict[str, Any]] = REFERENCE["types"] | REFERENCE["onlyInTypeScript"]

ON_PURPOSE: Final = {
    # wire.md section 15.16: what cannot be read is answered, with the id null; the reference stays silent.
    "JSONRPCError": {"nullable": ["id"]},
    # The reference accepts {} too, but its schema does not say so.
    "account/logout": {"params": "object"},
}
"""Where we differ, and what we say instead."""


@pytest.fixture(scope="module")
def exported() -> Bundle:
    files = json_files(read_surface(CATALOGUE, experimental=True))
    return Bundle(json.loads(files["app_server_protocol.schemas.json"])["definitions"])


@pytest.mark.parametrize("name", sorted(REFERENCE_TYPES))
def test_a_type_has_the_members_of_the_references(name: str, exported: Bundle) -> None:
    assert exported.facts(name) == REFERENCE_TYPES[name] | ON_PURPOSE.get(name, {})


@pytest.mark.parametrize("message", MESSAGES)
def test_a_method_takes_the_params_that_it_takes_in_the_reference(message: str, exported: Bundle) -> None:
    ours = exported.methods()[message]
    expected = {method: facts | ON_PURPOSE.get(method, {}) for method, facts in REFERENCE[message].items()}
    assert {method: ours.get(method) for method in expected} == expected


def test_every_type_that_the_reference_has_not_is_experimental(exported: Bundle) -> None:
    stable = read_surface(CATALOGUE, experimental=False)
    assert exported.names() & stable.types.keys() <= REFERENCE_TYPES.keys()


def test_every_stable_method_is_one_of_the_reference() -> None:
    stable = {method.method for method in read_surface(CATALOGUE, experimental=False).methods}
    assert stable - {"getAuthStatus"} <= {method for message in MESSAGES for method in REFERENCE[message]}


def test_members_that_only_we_have_are_marked_experimental() -> None:
    files = json_files(read_surface(CATALOGUE, experimental=True))
    definitions = json.loads(files["app_server_protocol.schemas.json"])["definitions"]
    assert definitions["ChatgptAuthTokensLogin"]["properties"]["idToken"]["x-experimental"] is True
