"""What we export agrees with the facts of the reference's schema (``schema_facts.py``), but for ``differences.py``."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from protocol.export.declarations import CATALOGUE, read_surface
from protocol.export.json_schema import json_files
from tests.unit.protocol.differences import ADDED, LEFT_OUT, METHODS_SAID_OTHERWISE, NAMED_HERE, SAID_OTHERWISE
from tests.unit.protocol.schema_facts import FACTS_FILE, MESSAGES, Bundle, Facts

REFERENCE: Final[dict[str, Any]] = json.loads(FACTS_FILE.read_text(encoding="utf-8"))
REFERENCE_TYPES: Final[dict[str, Any]] = REFERENCE["types"] | REFERENCE["onlyInTypeScript"]


def places(name: str, facts: Facts) -> Iterator[tuple[str, Facts]]:
    """Place -> what is said of it: each variant, each member, each value, of a type and of its variants."""
    for value in facts.get("values", ()):
        yield f"{name}.{value}", {}
    if "properties" not in facts and "values" not in facts:
        for variant, inner in facts.items():
            yield f"{name}.{variant}", {}
            yield from places(f"{name}.{variant}", inner)
        return
    if facts.get("open"):
        yield f"{name}.*", {}
    for member, type_ in facts.get("properties", {}).items():
        yield (
            f"{name}.{member}",
            {
                "type": type_,
                "required": member in facts.get("required", ()),
                "nullable": member in facts.get("nullable", ()),
                "values": tuple(facts.get("enums", {}).get(member, ())),
                "default": facts.get("defaults", {}).get(member),
                "experimental": member in facts.get("experimental", ()),
            },
        )


def listed(table: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [place for group in table.values() for place in group]


def within(place: str, table: Mapping[str, tuple[str, ...]]) -> bool:
    return any(place == entry or place.startswith(f"{entry}.") for entry in listed(table))


REFERENCE_PLACES: Final = {
    place: said for name in REFERENCE_TYPES for place, said in places(name, REFERENCE_TYPES[name])
}


@pytest.fixture(scope="module")
def exported() -> Bundle:
    files = json_files(read_surface(CATALOGUE, experimental=True))
    return Bundle(json.loads(files["app_server_protocol.schemas.json"])["definitions"], inline=NAMED_HERE)


@pytest.fixture(scope="module")
def our_places(exported: Bundle) -> dict[str, Facts]:
    return {place: said for name in REFERENCE_TYPES for place, said in places(name, exported.facts(name) or {})}


@pytest.mark.parametrize("name", sorted(REFERENCE_TYPES))
def test_a_type_is_that_of_the_reference(name: str, our_places: dict[str, Facts]) -> None:
    expected, found = {}, {}
    for place, said in REFERENCE_PLACES.items():
        if place.split(".")[0] == name and not within(place, LEFT_OUT):
            expected[place] = {**said, **(SAID_OTHERWISE[place][1] if place in SAID_OTHERWISE else {})}
    for place, said in our_places.items():
        if place.split(".")[0] == name and not within(place, ADDED):
            # The reference does not state every default.
            stated = expected.get(place, {}).get("default") is not None
            found[place] = said if stated or not said else said | {"default": None}
    assert found == expected


@pytest.mark.parametrize("place", listed(LEFT_OUT))
def test_what_is_left_out_is_in_the_reference_and_not_here_and_nobody_relies_on_it(
    place: str, our_places: dict[str, Facts]
) -> None:
    assert place in REFERENCE_PLACES
    assert place not in our_places
    assert not REFERENCE_PLACES[place].get("required")


@pytest.mark.parametrize("place", listed(ADDED))
def test_what_is_added_is_here_and_not_in_the_reference_and_may_be_left_out(
    place: str, our_places: dict[str, Facts]
) -> None:
    assert place in our_places
    assert place not in REFERENCE_PLACES
    assert not our_places[place]["required"]


@pytest.mark.parametrize("place", SAID_OTHERWISE)
def test_what_is_said_otherwise_is_said_in_both_ways(place: str, our_places: dict[str, Facts]) -> None:
    theirs, ours = SAID_OTHERWISE[place]
    assert theirs.items() <= REFERENCE_PLACES[place].items()
    assert ours.items() <= our_places[place].items()
    assert theirs.keys() == ours.keys()


@pytest.mark.parametrize("name", NAMED_HERE)
def test_a_type_that_only_we_name_is_exported_and_is_none_of_the_reference(name: str, exported: Bundle) -> None:
    assert name in read_surface(CATALOGUE, experimental=True).types
    assert name not in REFERENCE_TYPES


@pytest.mark.parametrize("message", MESSAGES)
def test_a_method_is_that_of_the_reference(message: str, exported: Bundle) -> None:
    ours = exported.methods()[message]
    expected = {method: facts | METHODS_SAID_OTHERWISE.get(method, {}) for method, facts in REFERENCE[message].items()}
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
