"""All differences between the two servers that a client could tell, each held by a test of this folder.

``docs/differences.md`` is written from here by ``document``. What whole types leave out, because this server has none
of it, stands in ``tests.unit.protocol.differences``.
"""

from collections.abc import Mapping
from typing import Final

from tests.conformance.declaration import Difference, Member, Side

DIFFERENCES: Final[Mapping[str, Difference]] = {
    "not-json": Difference(
        "15.16",
        "A line that is not JSON",
        reference=Side("no answer", []),
        ours=Side("error -32700 with id null", [(None, -32700)]),
        why="A client with a bug is told instead of waiting for ever.",
    ),
    "no-message": Difference(
        "15.16",
        "A scalar, a batch, or an object that is no message",
        reference=Side("no answer", []),
        ours=Side("error -32600 with id null", [(None, -32600)]),
        why="A client with a bug is told instead of waiting for ever.",
    ),
    "unusable-id": Difference(
        "2",
        "A request whose id is null, a fraction, a boolean or a list",
        reference=Side("taken for a notification: no answer", []),
        ours=Side("error -32600 with id null", [(None, -32600)]),
        why="Neither carries it out, but only one says so.",
    ),
    "not-utf-8": Difference(
        "15.1",
        "A line that is not UTF-8",
        reference=Side("the process ends, with status 0", {"exit status": 0}),
        ours=Side("error -32700 with id null", [(None, -32700)]),
        why="One bad line must not end everything else.",
    ),
    "odd-content": Difference(
        "15.22",
        "Duplicate keys, lone surrogates, nesting deeper than 126 levels",
        reference=Side("no answer", []),
        ours=Side("the request is carried out", [(1, None)]),
        why="Every request with a usable id gets an answer.",
    ),
    "end-of-input": Difference(
        "15.2, 15.25",
        "A request that waits for an upstream when the input ends",
        reference=Side("its answer is thrown away", []),
        ours=Side("is answered before the process ends", ["limits"]),
        why="What was asked is answered; how long that may take is limited (`drain_timeout`).",
    ),
    "turn-at-end-of-input": Difference(
        "15.25",
        "A turn that runs when the input ends",
        reference=Side("ends without a word", []),
        ours=Side("`turn/completed`, interrupted", ["interrupted"]),
        why="Exactly one `turn/completed` for each turn that was accepted.",
    ),
    "list-for-object": Difference(
        "2",
        "`[]` for params that are an object",
        reference=Side(
            "mostly refused by the number of members: `invalid length 0, expected struct … with 2 elements`",
            {
                "initialize": "Invalid request: invalid length 0, expected struct InitializeParams with 2 elements",
                "thread/start": "Invalid request: invalid length 0, expected struct ThreadStartParams with 27 elements",
                "thread/read": "Invalid request: invalid length 0, expected struct ThreadReadParams with 2 elements",
                "turn/interrupt": (
                    "Invalid request: invalid length 0, expected struct TurnInterruptParams with 2 elements"
                ),
            },
        ),
        ours=Side(
            "the same as `{}`",
            {
                "initialize": "Invalid request: missing field `clientInfo`",
                "thread/start": None,
                "thread/read": "Invalid request: missing field `threadId`",
                "turn/interrupt": "Invalid request: missing field `threadId`",
            },
        ),
        why="One rule for all methods; the reference's numbers change with its versions.",
    ),
    "kinds-of-input": Difference(
        "",
        "An unknown kind of input, and what is known",
        reference=Side(
            "names `audio` and `localAudio` too",
            "one of `text`, `image`, `localImage`, `audio`, `localAudio`, `skill`, `mention`",
        ),
        ours=Side("does not", "one of `text`, `image`, `localImage`, `skill`, `mention`"),
        why="No model takes sound.",
    ),
    "empty-key": Difference(
        "15.20",
        "A login with an empty API key",
        reference=Side(
            "accepted; `account/read` says `apiKey`, `getAuthStatus` nobody",
            {"refused": False, "account": {"type": "apiKey"}, "authMethod": None},
        ),
        ours=Side("refused", {"refused": True, "account": None, "authMethod": None}),
        why="No request could be made with it.",
    ),
    "answer-to-callback": Difference(
        "7, 15.6",
        "The browser comes back with a good code",
        reference=Side("is sent on to `/success`", 302),
        ours=Side("gets the last page at once", 200),
        why="One page less that can go wrong.",
    ),
    "token-in-url": Difference(
        "15.17",
        "The identity token in a URL of the browser",
        reference=Side("yes", seen=True),
        ours=Side("no", seen=False),
        why="URLs end up in histories and logs.",
    ),
    "last-page-not-loaded": Difference(
        "15.6",
        "The browser does not follow to the last page, and the login is cancelled",
        reference=Side("the login is cancelled, although the credentials are saved", seen=False),
        ours=Side("the login had been completed", seen=True),
        why="A login is complete when its credentials are saved.",
    ),
    "forged-success": Difference(
        "15.5",
        "Any page requests `/success` while a login is pending",
        reference=Side(
            "announces a login that has not happened",
            {"loginId": None, "success": True, "error": None, "onboardingEntrypoint": None},
        ),
        ours=Side(
            "no effect; the login stays pending until it is cancelled",
            {
                "loginId": None,
                "success": False,
                "error": "Login server error: Login was not completed",
                "onboardingEntrypoint": None,
            },
        ),
        why="Only the callback with the right state decides.",
    ),
    "concurrent-401": Difference(
        "15.3",
        "Two turns at once whose token, owned by the parent, is refused",
        reference=Side("asks the parent twice", 2),
        ours=Side("asks once", 1),
        why="One question for each token that was refused.",
    ),
    "concurrent-401-managed": Difference(
        "15.3",
        "Two turns at once whose managed token is refused",
        reference=Side("refreshes twice", 2),
        ours=Side("refreshes once", 1),
        why="A refresh token is spent only when it must be.",
    ),
    "first-401-again": Difference(
        "15.14",
        "Requests of a turn whose managed token is refused once",
        reference=Side("three: the second with the very same token", 3),
        ours=Side("two", 2),
        why="The token is known to be refused, and the file has not changed.",
    ),
    "silent-logout": Difference(
        "15.10",
        "A refresh fails for good, and `account/read` becomes null",
        reference=Side("no notification", []),
        ours=Side("`account/updated` with null", [None]),
        why="A parent that shows who is logged in must hear of it.",
    ),
    "pushed-token": Difference(
        "15.4",
        "The parent logs in with a new token instead of answering the refresh",
        reference=Side("the turn goes on waiting for the answer", seen=False),
        ours=Side("the turn goes on with it", seen=True),
        why="It is the token that was asked for.",
    ),
    "logout-while-asked": Difference(
        "15.4",
        "A logout while the parent is asked for a token",
        reference=Side("waits for the answer, 10 s at most", seen=False),
        ours=Side("at once", seen=True),
        why="There is nothing to wait for.",
    ),
    "another-account": Difference(
        "15.13",
        "The parent answers with a token of another account",
        reference=Side(
            "adopts it, and fails the turn with a text about something else",
            {"error": "Fatal error: application network policy is unavailable", "adopted": True},
        ),
        ours=Side(
            "does not, and says why",
            {
                "error": "Login is restricted to workspace(s) acct-1, but current credentials belong to acct-2",
                "adopted": False,
            },
        ),
        why="A refresh renews a login and does not replace it.",
    ),
    "refresh-error-text": Difference(
        "15.19",
        "The parent's own message in an error that answers a refresh",
        reference=Side("is dropped", None),
        ours=Side("is the error's `additionalDetails`", "The vault is locked."),
        why="It says what went wrong.",
    ),
    "unknown-members": Difference(
        "15.12",
        "Members of `auth.json` that nobody here knows, when the tokens are refreshed",
        reference=Side("are lost", seen=False),
        ours=Side("are kept", seen=True),
        why="The file is shared with other programs.",
    ),
    "upstream-body": Difference(
        "15.15",
        "`account/rateLimits/read` when the backend fails",
        reference=Side("the error has the backend's body in it", seen=True),
        ours=Side("it has not", seen=False),
        why="Nobody knows what is in it.",
    ),
    "limits-401": Difference(
        "15.15",
        "`account/rateLimits/read` when the token is refused",
        reference=Side("an error", {"parent asked": False, "answered": False}),
        ours=Side("asks for a new one, and answers", {"parent asked": True, "answered": True}),
        why="Every authorised request recovers in the same way.",
    ),
    "broken-off-message": Difference(
        "14",
        "A message of the model that breaks off with the turn",
        reference=Side("no `item/completed`, and the turn has no items", {"completed": 0, "items of the turn": 0}),
        ours=Side(
            "`item/completed` with what there is, which the turn has too", {"completed": 1, "items of the turn": 1}
        ),
        why="The partial answer is kept, and whatever is started is completed.",
    ),
    "tool-error": Difference(
        "15.19",
        "The parent answers a tool call with an error",
        reference=Side("the model is told `dynamic tool request failed`", "dynamic tool request failed"),
        ours=Side("and the parent's message", "dynamic tool request failed: The vault is locked."),
        why="The model can do something about it.",
    ),
    "fork-at-no-turn": Difference(
        "",
        "A fork at a turn that the thread has not",
        reference=Side("`turn not found: nope`", "turn not found: nope"),
        ours=Side(
            "`lastTurnId 'nope' was not found in the source thread`",
            "lastTurnId 'nope' was not found in the source thread",
        ),
        why="One text, which the reference has for older threads.",
    ),
    "fork-provider": Difference(
        "",
        "The provider of a fork, when the client names none",
        reference=Side("that of the configuration", "openai"),
        ours=Side("that of its source", "once"),
        why="A fork goes on where its source was.",
    ),
    "ephemeral-turns": Difference(
        "",
        "`thread/read` with the turns of an ephemeral thread",
        reference=Side("refused", "ephemeral threads do not support includeTurns"),
        ours=Side("has them", 1),
        why="They are known as long as the thread is.",
    ),
    "no-turns-yet": Difference(
        "",
        "`thread/turns/list` before the first turn",
        reference=Side(
            "refused",
            "thread THREAD is not materialized yet; thread/turns/list is unavailable before first user message",
        ),
        ours=Side("an empty list", []),
        why="There are none.",
    ),
    "git": Difference(
        "",
        "`gitInfo` of a thread in a repository",
        reference=Side("revision, branch and origin", ["branch", "originUrl", "sha"]),
        ours=Side("null", None),
        why="This server runs no programs and does not look into folders.",
    ),
    "rollout-mode": Difference(
        "",
        "Who may read the file of a thread",
        reference=Side("whoever the umask lets (0644)", "644"),
        ours=Side("its owner (0600)", "600"),
        why="Conversations are private.",
    ),
}

MEMBERS: Final[Mapping[str, Member]] = {
    "thread/list.data[].canAcceptDirectInput": Member("null", "boolean", "It is known without loading the thread."),
    "thread/tokenUsage/updated.tokenUsage.modelContextWindow": Member(
        "null",
        "number",
        "The reference believes the list of models of the login's provider, and the fake's has no windows.",
    ),
}
"""Members that the reference sends and that this server sends otherwise, by the message and the place in it."""
