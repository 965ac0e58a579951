"""Lists of threads, stored and loaded, and of their turns and items: filters, pages and cursors."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.threads.conftest import with_provider
from tests.wire.threads.support import NOBODY, listed, read, refused, said, thread_with, unload
from tests.wire.turns.support import begin, delta, start_thread, talk


class Shelf(NamedTuple):
    """A server with five threads, the oldest first: the third is not loaded, the fourth archived, the fifth another
    provider's."""

    server: ServerProcess
    threads: list[str]


@pytest.fixture(scope="module")
async def shelf(shared_fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shelf]:
    other = [
        'model_providers.other.name="Other"',
        f'model_providers.other.base_url="{shared_fake.base_url}/v1"',
        'model_providers.other.env_key="PROVIDER_KEY"',
    ]
    async with with_provider(shared_fake, tmp_path_factory.mktemp("shelf") / "home", *other) as server:
        threads = [await thread_with(server, "Apple pie", cwd="/a"), await thread_with(server, "Banana", cwd="/b")]
        threads.append(await thread_with(server, "Cherry pie", "Again", cwd="/a"))
        threads.append(await thread_with(server, "Date", cwd="/a"))
        fifth = await start_thread(server, "other", cwd="/a")
        await talk(server, fifth, "Elder pie")
        threads.append(fifth)
        await unload(server, threads[2])
        await server.result("thread/archive", {"threadId": threads[3]})
        await server.result("thread/name/set", {"threadId": threads[1], "name": "Fig pie"})
        await start_thread(server, "once")  # Nothing was said in this one,
        await start_thread(server, "once", ephemeral=True)  # and this one is nowhere.
        await server.barrier()
        yield Shelf(server, threads)


@pytest.mark.parametrize(
    ("params", "places"),
    [
        ({}, [2, 1, 0]),
        ({"cursor": None, "limit": None, "cwd": None, "archived": None, "searchTerm": None}, [2, 1, 0]),
        ({"sortDirection": "asc"}, [0, 1, 2]),
        ({"sortKey": "created_at"}, [2, 1, 0]),
        ({"sortKey": "updated_at", "sortDirection": "asc"}, [0, 1, 2]),
        ({"sortKey": "recency_at"}, [2, 1, 0]),
        ({"limit": 2}, [2, 1]),
        ({"limit": 0}, [2]),
        ({"limit": 4_000_000_000}, [2, 1, 0]),
        ({"archived": True}, [3]),
        ({"archived": False}, [2, 1, 0]),
        ({"modelProviders": []}, [4, 2, 1, 0]),
        ({"modelProviders": ["other"]}, [4]),
        ({"modelProviders": ["nope"]}, []),
        ({"cwd": "/a"}, [2, 0]),
        ({"cwd": ["/a", "/b"]}, [2, 1, 0]),
        ({"cwd": "a"}, []),
        ({"cwd": []}, []),
        ({"searchTerm": "pie"}, [2, 1, 0]),
        ({"searchTerm": "Apple"}, [0]),
        ({"searchTerm": "Fig"}, [1]),
        ({"searchTerm": "100%"}, []),
        ({"searchTerm": ""}, [2, 1, 0]),
        ({"sourceKinds": []}, [2, 1, 0]),
        ({"sourceKinds": ["vscode"]}, [2, 1, 0]),
        ({"sourceKinds": ["exec"]}, []),
        ({"modelProviders": [], "cwd": "/a", "searchTerm": "pie", "limit": 2}, [4, 2]),
        ({"parentThreadId": NOBODY}, []),
        ({"useStateDbOnly": True}, [2, 1, 0]),
    ],
)
async def test_filters_order_and_size(shelf: Shelf, params: Json, places: list[int]) -> None:
    assert await listed(shelf.server, **params) == [shelf.threads[place] for place in places]


async def test_threads_can_be_left_out(shelf: Shelf) -> None:
    assert await listed(shelf.server, excludedThreadIds=[shelf.threads[1]]) == [shelf.threads[2], shelf.threads[0]]


async def test_an_entry_is_the_thread_without_its_turns(shelf: Shelf) -> None:
    entries = (await shelf.server.result("thread/list", {}))["data"]

    for entry in entries:
        assert entry == await read(shelf.server, entry["id"], turns=False)
    assert [entry["status"]["type"] for entry in entries] == ["notLoaded", "idle", "idle"]
    assert [entry["name"] for entry in entries] == [None, "Fig pie", None]
    assert [entry["preview"] for entry in entries] == ["Cherry pie", "Banana", "Apple pie"]


@pytest.mark.parametrize("key", ["created_at", "updated_at", "recency_at"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("size", [1, 2, 3])
async def test_page_by_page_there_is_everything_once(shelf: Shelf, key: str, direction: str, size: int) -> None:
    params: Json = {"sortKey": key, "sortDirection": direction, "modelProviders": []}
    everything = await listed(shelf.server, **params)
    assert len(everything) == 4

    found: list[str] = []
    cursor: Any = None
    for _ in everything:
        page = await shelf.server.result("thread/list", {**params, "limit": size, "cursor": cursor})
        found.extend(entry["id"] for entry in page["data"])
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert cursor is None
    assert found == everything


async def test_the_way_back_leads_to_what_has_come_since(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    first = await thread_with(own_server, "One")
    page = await own_server.result("thread/list", {})
    assert [entry["id"] for entry in page["data"]] == [first]
    second = await thread_with(own_server, "Two")

    newer = await listed(own_server, cursor=page["backwardsCursor"], sortDirection="asc")

    assert newer[-1] == second
    assert newer in ([second], [first, second])


async def test_an_empty_home(own_server: ServerProcess) -> None:
    for params in ({}, {"archived": True}, {"searchTerm": "x"}):
        result = await own_server.result("thread/list", params)
        assert result == {"data": [], "nextCursor": None, "backwardsCursor": None}
    assert await own_server.result("thread/loaded/list", {}) == {"data": [], "nextCursor": None}


async def test_a_running_thread_is_shown_as_it_is(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    thread_id = await thread_with(own_server, "One")
    fake.fault("responses", hang_after_events=5)
    await begin(own_server, thread_id, "Two")
    await delta(own_server, thread_id)

    (entry,) = (await own_server.result("thread/list", {}))["data"]

    assert entry["status"] == {"type": "active", "activeFlags": []}
    fake.release()
    await own_server.notification("turn/completed")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cursor": "zz"}, "invalid cursor: zz"),
        ({"cursor": ""}, "invalid cursor: "),
        ({"limit": -1}, "Invalid request: invalid value: integer `-1`, expected u32"),
        (
            {"sortKey": "zz"},
            (
                "Invalid request: unknown variant `zz`, "
                "expected one of `created_at`, `updated_at`, `recency_at`, `section_position`"
            ),
        ),
        ({"sortKey": "section_position"}, "section-position sorting requires a section filter"),
        (
            {"sourceKinds": ["zz"]},
            (
                "Invalid request: unknown variant `zz`, expected one of `cli`, `vscode`, `exec`, `appServer`, "
                "`subAgent`, `subAgentReview`, `subAgentCompact`, `subAgentThreadSpawn`, `subAgentOther`, `unknown`"
            ),
        ),
        (..., "Invalid request: missing field `params`"),
        (None, "Invalid request: missing field `params`"),
    ],
)
async def test_a_list_that_makes_no_sense(shelf: Shelf, params: Any, message: str) -> None:
    assert await shelf.server.error("thread/list", params) == refused(message)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"originators": ["x"]}, "originator filtering is not supported by the local app-server"),
        ({"excludedThreadIds": ["x"]}, "invalid excluded thread id: invalid character"),
        ({"excludedThreadIds": [NOBODY] * 101}, "excludedThreadIds accepts at most 100 entries"),
    ],
)
async def test_a_filter_that_cannot_be_applied_is_refused(shelf: Shelf, params: Json, message: str) -> None:
    """Not ignored: the client would take other threads for those it asked for."""
    error = await shelf.server.error("thread/list", params)

    assert error["code"] == -32602
    assert error["message"].startswith(message)


# Those that are loaded


async def test_the_loaded_threads_in_the_order_of_their_ids(shelf: Shelf) -> None:
    result = await shelf.server.result("thread/loaded/list", {})

    ids = result["data"]
    assert ids == sorted(ids)
    assert set(shelf.threads) & set(ids) == {shelf.threads[0], shelf.threads[1], shelf.threads[4]}
    assert (len(ids), result["nextCursor"]) == (5, None)

    first = await shelf.server.result("thread/loaded/list", {"limit": 2})
    assert first == {"data": ids[:2], "nextCursor": ids[1]}
    rest = await shelf.server.result("thread/loaded/list", {"cursor": first["nextCursor"]})
    assert rest == {"data": ids[2:], "nextCursor": None}
    assert (await shelf.server.result("thread/loaded/list", {"limit": 0}))["data"] == ids[:1]
    assert (await shelf.server.result("thread/loaded/list", {"cursor": NOBODY}))["data"] in (ids, [])
    assert await shelf.server.error("thread/loaded/list", {"cursor": "zz"}) == refused("invalid cursor: zz")
    assert await shelf.server.error("thread/loaded/list") == refused("Invalid request: missing field `params`")


# Turns and items


@pytest.fixture
async def long_thread(fake: FakeOpenAI, server: ServerProcess) -> str:
    """A thread with five turns."""
    return await thread_with(server, *(f"Turn {number}" for number in range(5)))


@pytest.mark.parametrize("loaded", [True, False])
async def test_turns_come_newest_first_and_page_by_page(server: ServerProcess, long_thread: str, loaded: bool) -> None:
    turns = (await read(server, long_thread))["turns"]
    if not loaded:
        await unload(server, long_thread)
    found: list[Json] = []
    cursor: Any = None
    sizes: list[int] = []
    while not sizes or cursor is not None:
        page = await server.result("thread/turns/list", {"threadId": long_thread, "limit": 2, "cursor": cursor})
        found.extend(page["data"])
        sizes.append(len(page["data"]))
        cursor = page["nextCursor"]

    assert sizes == [2, 2, 1]
    assert [turn["id"] for turn in found] == [turn["id"] for turn in turns[::-1]]
    assert {turn["itemsView"] for turn in found} == {"summary"}
    assert said(found[0]) == ["Turn 4", "Turn 4"]


async def test_turns_in_full_or_without_items_or_from_the_oldest(server: ServerProcess, long_thread: str) -> None:
    turns = (await read(server, long_thread))["turns"]

    async def page(**params: Any) -> list[Json]:
        result = await server.result("thread/turns/list", {"threadId": long_thread, **params})
        data: list[Json] = result["data"]
        return data

    assert await page(itemsView="full", sortDirection="asc") == turns
    bare = await page(itemsView="notLoaded")
    assert {(turn["itemsView"], len(turn["items"])) for turn in bare} == {("notLoaded", 0)}
    assert len(await page(limit=0)) == 1


async def test_turns_that_came_since_are_found_on_the_way_back(server: ServerProcess, long_thread: str) -> None:
    page = await server.result("thread/turns/list", {"threadId": long_thread, "limit": 1})
    await talk(server, long_thread, "Turn 5")

    back = {"threadId": long_thread, "cursor": page["backwardsCursor"], "sortDirection": "asc"}
    newer = (await server.result("thread/turns/list", back))["data"]

    assert [said(turn)[0] for turn in newer] == ["Turn 4", "Turn 5"]


async def test_items_come_oldest_first_with_their_turns(server: ServerProcess, long_thread: str) -> None:
    turns = (await read(server, long_thread))["turns"]
    everything = [(turn["id"], item) for turn in turns for item in turn["items"]]
    found: list[tuple[str, Json]] = []
    cursor: Any = None
    while not found or cursor is not None:
        page = await server.result("thread/items/list", {"threadId": long_thread, "limit": 3, "cursor": cursor})
        found.extend((entry["turnId"], entry["item"]) for entry in page["data"])
        cursor = page["nextCursor"]
    assert found == everything

    async def items(**params: Any) -> list[tuple[str, Json]]:
        result = await server.result("thread/items/list", {"threadId": long_thread, **params})
        for entry in result["data"]:
            assert entry["startedAtMs"] == entry["item"]["startedAtMs"]
        return [(entry["turnId"], entry["item"]) for entry in result["data"]]

    assert await items(sortDirection="desc") == everything[::-1]
    assert await items(turnId=turns[2]["id"]) == everything[4:6]
    assert await items(turnId="nope") == []


async def test_a_cursor_is_for_the_list_that_it_came_from(server: ServerProcess, long_thread: str) -> None:
    other = await thread_with(server, "One", "Two")
    turns, items = "thread/turns/list", "thread/items/list"
    page = await server.result(turns, {"threadId": long_thread, "limit": 1})
    cursor = page["nextCursor"]
    for method, params in (
        (turns, {"threadId": other, "cursor": cursor}),
        (items, {"threadId": long_thread, "cursor": cursor}),
        (turns, {"threadId": long_thread, "cursor": "zz"}),
        (items, {"threadId": long_thread, "cursor": "zz"}),
    ):
        assert await server.error(method, params) == refused(f"invalid cursor: {params['cursor']}")


async def test_the_running_turn_is_in_the_list(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")
    fake.fault("responses", hang_after_events=5)
    turn_id = await begin(server, thread_id, "Two")
    await delta(server, thread_id)

    newest = (await server.result("thread/turns/list", {"threadId": thread_id}))["data"][0]

    assert (newest["id"], newest["status"], said(newest)[0]) == (turn_id, "inProgress", "Two")
    fake.release()
    await server.notification("turn/completed")
    await server.barrier()
