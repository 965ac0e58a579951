"""How declarations and models become shapes, shown with declarations of this file."""

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import ConfigDict, Field, model_validator

from protocol.base import Int64, WireModel, WireSecret, WireUnion, experimental_field
from protocol.errors import InternalError
from protocol.export.declarations import Declarations, read_surface
from protocol.export.json_schema import json_files
from protocol.export.models import ModelReader
from protocol.export.typescript import typescript_files
from protocol.jsonrpc import RequestId
from protocol.method import ClientRequest, Empty, ParamsPresence, ServerNotification

Colour = Literal["red", "green"]
"""What a leaf looks like."""


class Leaf(WireModel):
    """The end of a branch,
    which may be coloured.

    It falls in ``autumn``.
    """

    kind: Literal["leaf"] = "leaf"
    colour: Colour | None = None
    """What one sees,
    if anything."""
    fallen: bool = False


class SecretLeaf(WireModel):
    """A leaf that clients must opt into."""

    experimental_variant = "secretLeaf"

    kind: Literal["secretLeaf"] = "secretLeaf"
    secret: WireSecret


class Branch(WireModel):
    kind: Literal["branch"] = "branch"
    children: list["Tree"] = Field(default_factory=list)
    weights: dict[str, Int64] = Field(default_factory=lambda: {"a": 1})
    season: Literal["summer", "autumn"]
    first: Leaf
    """Grew before the others."""
    anything: Any = None
    trials: "Trial | None" = experimental_field()
    """Being tried out."""


class Trial(WireModel):
    """Reached through an experimental member only."""


class Tree(WireUnion[Annotated[Leaf | SecretLeaf | Branch, Field(discriminator="kind")]]):
    """A tree. Beware of */ in comments."""


class Planted(Leaf):
    """Inherits members and what is said of them."""

    planted_at: Int64


class Sized(WireModel):
    """A variant without a tag: its only member tells it apart."""

    sized: int


class Season(WireUnion[Literal["summer", "winter"] | Sized]):
    """Strings and models."""


class Where(WireUnion[str | list[str]]):
    """One or several."""

    @model_validator(mode="before")
    @classmethod
    def _older_form(cls, value: Any) -> Any:
        return value


class Settings(WireModel):
    """Named as in a file, and open."""

    model_config = ConfigDict(alias_generator=None, extra="allow")

    snake_case: bool = False


class Odds(WireModel, alias_generator=None):
    """What is rare."""

    season: Season | None = None
    where: Where
    some_name: list[Where] = Field(default_factory=list)
    ends: None = None
    settings: Settings
    aliased: int = Field(alias="an_alias")
    request: RequestId


GROW = ClientRequest("tree/grow", Tree, Planted, errors=(InternalError,))
"""Let a tree grow."""

TRY = ClientRequest("tree/try", Empty, Trial, presence=ParamsPresence.UNIT, experimental=True)

FELLED = ServerNotification("tree/felled", Branch)


def bundle(*, experimental: bool, declarations: Declarations | None = None) -> dict[str, Any]:
    surface = read_surface(declarations or Declarations([GROW, TRY], (), (), [FELLED]), experimental=experimental)
    definitions = json.loads(json_files(surface)["app_server_protocol.schemas.json"])["definitions"]
    assert isinstance(definitions, dict)
    return definitions


def typescript(*, experimental: bool) -> dict[str, str]:
    return typescript_files(read_surface(Declarations([GROW, TRY], (), (), [FELLED]), experimental=experimental))


def test_descriptions_are_unwrapped_docstrings() -> None:
    leaf = bundle(experimental=False)["Leaf"]
    assert leaf["description"] == "The end of a branch, which may be coloured.\n\nIt falls in `autumn`."
    assert leaf["properties"]["colour"]["description"] == "What one sees, if anything."


def test_inherited_members_keep_what_is_said_of_them() -> None:
    planted = bundle(experimental=False)["Planted"]
    assert list(planted["properties"]) == ["kind", "colour", "fallen", "plantedAt"]
    assert planted["properties"]["colour"]["description"] == "What one sees, if anything."


def test_a_literal_with_a_name_is_a_type_and_one_without_is_inline() -> None:
    definitions = bundle(experimental=False)
    assert definitions["Colour"] == {
        "description": "What a leaf looks like.",
        "type": "string",
        "enum": ["red", "green"],
    }
    assert definitions["Branch"]["properties"]["season"] == {"type": "string", "enum": ["summer", "autumn"]}


def test_what_has_a_default_is_not_required_unless_it_is_a_tag() -> None:
    definitions = bundle(experimental=False)
    assert definitions["Leaf"]["required"] == ["kind"]
    assert definitions["Branch"]["required"] == ["kind", "season", "first"]
    assert definitions["Leaf"]["properties"]["fallen"] == {"default": False, "type": "boolean"}
    assert definitions["Branch"]["properties"]["weights"]["default"] == {"a": 1}
    assert "default" not in definitions["Leaf"]["properties"]["colour"]


def odds() -> tuple[dict[str, Any], str]:
    declarations = Declarations([ClientRequest("odds", Odds, Empty)])
    files = typescript_files(read_surface(declarations, experimental=False))
    (text,) = (text for text in files.values() if "export type Odds" in text)
    return bundle(experimental=False, declarations=declarations), text


def test_a_union_of_strings_and_models_has_no_tag() -> None:
    definitions, text = odds()
    assert definitions["Season"]["anyOf"] == [
        {"type": "string", "enum": ["summer", "winter"]},
        {"$ref": "#/definitions/Sized"},
    ]
    assert 'export type Season = "summer" | "winter" | Sized;\n' in text
    assert definitions["Odds"]["properties"]["season"] == {
        "anyOf": [{"$ref": "#/definitions/Season"}, {"type": "null"}]
    }
    assert "  season?: Season | null;\n" in text


def test_a_union_of_a_string_and_a_list_is_written_as_it_is_whatever_validates_it() -> None:
    definitions, text = odds()
    assert definitions["Where"]["anyOf"] == [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    assert "export type Where = string | Array<string>;\n" in text
    assert "  some_name?: Array<Where>;\n" in text


def test_members_keep_the_names_that_a_class_gives_them() -> None:
    definitions, _ = odds()
    names = ["season", "where", "some_name", "ends", "settings", "an_alias", "request"]
    assert list(definitions["Odds"]["properties"]) == names
    assert list(definitions["Settings"]["properties"]) == ["snake_case"]


def test_an_open_model_may_have_other_members() -> None:
    definitions, text = odds()
    assert definitions["Settings"]["additionalProperties"] is True
    assert "additionalProperties" not in definitions["Odds"]
    assert "  snake_case?: boolean;\n  [name: string]: unknown;\n};\n" in text.split("export type Settings")[1]


def test_a_member_can_be_nothing_but_null() -> None:
    definitions, text = odds()
    assert definitions["Odds"]["properties"]["ends"] == {"type": "null"}
    assert "  ends?: null;\n" in text


def test_an_id_of_a_request_is_that_of_the_envelope() -> None:
    definitions, text = odds()
    assert definitions["Odds"]["properties"]["request"] == {"$ref": "#/definitions/RequestId"}
    assert 'import type { RequestId } from "./jsonrpc.js";' in text


def test_models_may_refer_to_each_other_in_a_circle() -> None:
    children = bundle(experimental=False)["Branch"]["properties"]["children"]
    assert children == {"default": [], "type": "array", "items": {"$ref": "#/definitions/Tree"}}


def test_what_is_said_of_a_member_does_not_stand_beside_a_reference_where_it_would_be_ignored() -> None:
    first = bundle(experimental=False)["Branch"]["properties"]["first"]
    assert first == {"description": "Grew before the others.", "allOf": [{"$ref": "#/definitions/Leaf"}]}


def test_a_secret_is_a_string() -> None:
    assert bundle(experimental=False)["SecretLeaf"]["properties"]["secret"] == {"type": "string"}


def test_experimental_methods_members_and_what_only_they_reach_are_left_out_of_the_stable_schema() -> None:
    stable, experimental = bundle(experimental=False), bundle(experimental=True)
    assert "trials" not in stable["Branch"]["properties"]
    assert experimental["Branch"]["properties"]["trials"]["x-experimental"] is True
    assert "Trial" not in stable
    assert "Trial" in experimental
    assert "tree/try" not in json.dumps(stable)
    assert "tree/try" in json.dumps(experimental)
    assert "tree/try" not in typescript(experimental=False)["methods.ts"]
    assert "tree/try" in typescript(experimental=True)["methods.ts"]


@pytest.mark.parametrize("experimental", [False, True])
def test_an_experimental_variant_stays_with_a_note(experimental: bool) -> None:
    definitions = bundle(experimental=experimental)
    assert {"$ref": "#/definitions/SecretLeaf"} in definitions["Tree"]["oneOf"]
    assert definitions["SecretLeaf"]["description"] == (
        "A leaf that clients must opt into.\n\nExperimental: needs the `experimentalApi` capability."
    )


def test_the_text_below_a_declaration_describes_the_method() -> None:
    surface = read_surface(Declarations([GROW]), experimental=False)
    (entry,) = json.loads(json_files(surface)["methods.json"])["methods"]
    assert entry["description"] == "Let a tree grow."
    (variant,) = json.loads(json_files(surface)["ClientRequest.json"])["oneOf"]
    assert variant["description"] == "Let a tree grow."
    assert "  /** Let a tree grow. */\n" in typescript_files(surface)["methods.ts"]


def test_two_types_of_one_name_are_refused() -> None:
    class Leaf(WireModel):
        """Another."""

    Leaf.__module__ = Empty.__module__
    with pytest.raises(TypeError, match="two types of the wire are named Leaf"):
        read_surface(Declarations([ClientRequest("a", Tree, Leaf)]), experimental=False)


def test_a_type_that_the_wire_has_not_is_refused_by_name() -> None:
    class Odd(WireModel):
        odd: set[str]

    with pytest.raises(TypeError, match=r"Odd: .*set\[str\]"):
        ModelReader(experimental=False).read(Odd)


def test_typescript_asks_for_members_that_only_the_server_sends_and_not_for_others() -> None:
    (text,) = (text for text in typescript(experimental=False).values() if "export type Leaf" in text)
    assert "  fallen?: boolean;\n" in text, "the client sends leaves, too"
    assert "  plantedAt: number;\n" in text
    assert "  colour?: Colour | null;\n" in text
    (planted,) = text.split("export type Planted =")[1:]
    assert "  colour: Colour | null;\n" in planted.split("};")[0]


def test_typescript_comments_cannot_be_closed_by_a_docstring() -> None:
    (text,) = (text for text in typescript(experimental=False).values() if "export type Tree" in text)
    assert "/** A tree. Beware of *\\/ in comments. */\n" in text


def test_long_texts_are_wrapped_in_typescript() -> None:
    for text in typescript(experimental=True).values():
        assert all(len(line) <= 120 for line in text.splitlines() if line.lstrip().startswith(("*", "/**")))
