"""``app-server demo`` as a person runs it: every step is told, none of it needs the network, no token shows."""

from tests.support.cli import Commands

STEPS = [
    "The handshake",
    "The parent signs in with tokens that it owns",
    "An authorised request",
    "The token expires upstream; the next request meets 401, the server asks its parent, and tries again",
    "A conversation begins; the parent lends the model a tool",
    "A turn; the answer comes piece by piece",
    "The model calls the tool, and the token expires in the middle of the turn",
    "The server has ended; another one goes on with the conversation",
    "The parent signs out",
    "What is left on disk",
    "Everything happened as promised.",
]


async def test_the_demonstration_shows_its_steps_in_order_and_ends_well(commands: Commands) -> None:
    outcome = await commands.run("demo")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert [line for line in lines if line in STEPS] == STEPS
    assert lines[-1] == STEPS[-1]
    assert "eyJ" not in outcome.out
    asked = [line for line in lines if "account/chatgptAuthTokens/refresh" in line]
    assert len(asked) == 2


async def test_the_turn_whose_token_expires_shows_the_tool_then_the_question_then_the_answer(
    commands: Commands,
) -> None:
    shown = (await commands.run("demo")).out.split(STEPS[6])[1].split(STEPS[7])[0]
    places = [
        shown.index(text)
        for text in (
            '  <- item/tool/call (request 1)  [tool=weather, arguments={"city":"Lisbon"}]',
            '  -> answer 1: result  [success=True, contentItems="Sunny, 24 °C"]',
            "  <- account/chatgptAuthTokens/refresh (request 2)  [reason=unauthorized, previousAccountId=acct-1]",
            "  -> answer 2: result  [accessToken=(hidden)]",
            "  <- item/agentMessage/delta  Sunny |and 24| °C in |Lisbon|: pack| light.\n",
            '  <- item/completed  [item=agentMessage "Sunny and 24 °C in Lisbon: pack light."]',
            "  <- thread/tokenUsage/updated  [tokenUsage=",
            "  <- turn/completed  [turn=completed]",
        )
    ]
    assert places[:-2] == sorted(places[:-2])
    assert places[-1] == max(places)
