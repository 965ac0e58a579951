"""``ThreadStore.list``: which threads, in which order, page by page."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app_server.rollouts import cursors, sources
from app_server.rollouts.errors import InvalidCursor
from app_server.rollouts.store import ThreadPage, ThreadQuery, ThreadStore
from tests.unit.rollouts.rollout_support import NOON, event, meta, raw, session, spoken, thread_id, written


def numbers(page: ThreadPage) -> list[int]:
    return [int(summary.id[-12:], 16) for summary in page.summaries]


async def listed(store: ThreadStore, **query: Any) -> list[int]:
    return numbers(await store.list(ThreadQuery(**query)))


def day(number: int) -> dict[str, Any]:
    return {"created_at": NOON + timedelta(days=number)}


async def test_the_newest_come_first(store: ThreadStore, tmp_path: Path) -> None:
    for number in (2, 3, 1):
        spoken(tmp_path, number, **day(number))
    assert await listed(store) == [3, 2, 1]
    assert await listed(store, sort_direction="asc") == [1, 2, 3]


async def test_threads_of_one_moment_are_sorted_by_their_ids(store: ThreadStore, tmp_path: Path) -> None:
    for number in (2, 3, 1):
        spoken(tmp_path, number)
    assert await listed(store) == [3, 2, 1]
    assert await listed(store, sort_direction="asc") == [1, 2, 3]


@pytest.mark.parametrize("key", ["updated_at", "recency_at"])
async def test_they_are_sorted_by_their_last_change_if_asked_to(store: ThreadStore, tmp_path: Path, key: str) -> None:
    for number in (1, 2, 3):
        path = spoken(tmp_path, number, **day(number))
        os.utime(path, (1000 - number, 1000 - number))
    assert await listed(store, sort_key=key) == [1, 2, 3]
    assert await listed(store) == [3, 2, 1]


async def test_a_summary_has_what_a_list_shows(store: ThreadStore, tmp_path: Path) -> None:
    path = spoken(tmp_path, 1, "what is said", git=("abc", "main", "https://x"), thread_source="user")
    await store.set_name(thread_id(1), "its name")
    os.utime(path, ns=(0, 1_700_000_000_123_000_000))
    (summary,) = (await store.list(ThreadQuery())).summaries
    assert (summary.id, summary.session_id, summary.path, summary.archived) == (thread_id(1), thread_id(1), path, False)
    assert (summary.preview, summary.name, summary.model, summary.effort) == (
        "what is said",
        "its name",
        "gpt-5.2",
        "high",
    )
    assert (summary.created_at, summary.updated_at, summary.recency_at) == (
        int(NOON.timestamp()),
        1_700_000_000,
        1_700_000_000,
    )
    assert (summary.created_at_ms % 1000, summary.updated_at_ms % 1000) == (0, 123)
    assert (summary.cwd, summary.source, summary.model_provider) == ("/work", "vscode", "openai")
    assert (summary.cli_version, summary.originator, summary.history_mode) == ("1.2.3", "tests", "paginated")
    assert (summary.git, summary.thread_source) == (("abc", "main", "https://x"), "user")
    assert (summary.forked_from_id, summary.parent_thread_id) == (None, None)


async def test_threads_in_which_the_user_has_said_nothing_are_not_listed(store: ThreadStore, tmp_path: Path) -> None:
    written(tmp_path, meta(1))
    raw(tmp_path, 2, session(2), event("agent_message", message="hi"))
    raw(tmp_path, 3, session(3), event("user_message", message="  "))
    raw(tmp_path, 4, b"garbage\n")
    raw(tmp_path, 5)
    raw(tmp_path, 6, session(6), event("user_message", message="hi"))
    assert await listed(store) == [6]


async def test_other_files_and_directories_are_left_alone(store: ThreadStore, tmp_path: Path) -> None:
    path = spoken(tmp_path, 1)
    content = path.read_bytes()
    for name in ("notes.jsonl", f"rollout-{thread_id(2)}.jsonl", path.name + ".bak", path.name.upper()):
        (path.parent / name).write_bytes(content)
    odd = tmp_path / "sessions" / "2026" / "odd" / "01"
    odd.mkdir(parents=True)
    (odd / path.name.replace(thread_id(1), thread_id(3))).write_bytes(content)
    assert await listed(store) == [1]


async def test_archived_threads_are_listed_apart(store: ThreadStore, tmp_path: Path) -> None:
    spoken(tmp_path, 1)
    raw(tmp_path, 2, session(2), event("user_message", message="hi"), archived=True)
    assert await listed(store) == [1]
    assert await listed(store, archived=False) == [1]
    page = await store.list(ThreadQuery(archived=True))
    assert (numbers(page), page.summaries[0].archived) == ([2], True)


class TestPages:
    async def test_pages_follow_each_other_without_gaps(self, store: ThreadStore, tmp_path: Path) -> None:
        for number in range(1, 8):
            spoken(tmp_path, number, **day(number // 3))
        for direction, expected in (("desc", [7, 6, 5, 4, 3, 2, 1]), ("asc", [1, 2, 3, 4, 5, 6, 7])):
            found, cursor = [], None
            for size in (2, 2, 2, 1):
                page = await store.list(ThreadQuery(cursor=cursor, limit=2, sort_direction=direction))  # type: ignore[arg-type]
                assert len(page.summaries) == size
                found += numbers(page)
                cursor = page.next_cursor
            assert (found, cursor) == (expected, None)

    async def test_the_last_page_may_be_full(self, store: ThreadStore, tmp_path: Path) -> None:
        spoken(tmp_path, 1)
        spoken(tmp_path, 2)
        assert (await store.list(ThreadQuery(limit=2))).next_cursor is None
        assert (await store.list(ThreadQuery(limit=1))).next_cursor is not None

    async def test_a_list_in_the_other_direction_begins_at_the_first(self, store: ThreadStore, tmp_path: Path) -> None:
        for number in (1, 2, 3):
            spoken(tmp_path, number, **day(number))
        page = await store.list(ThreadQuery(limit=1, cursor=(await store.list(ThreadQuery(limit=1))).next_cursor))
        assert numbers(page) == [2]
        assert page.backwards_cursor == "2026-11-22T11:59:59.999Z"
        assert await listed(store, cursor=page.backwards_cursor, sort_direction="asc") == [2, 3]

    async def test_cursors_look_like_those_of_the_reference(self, store: ThreadStore, tmp_path: Path) -> None:
        spoken(tmp_path, 1)
        path = spoken(tmp_path, 2)
        os.utime(path, ns=(0, 4_000_000_000_868_000_000))
        page = await store.list(ThreadQuery(limit=1, sort_key="updated_at"))
        assert page.next_cursor == f"2096-10-02T07:06:40.868Z|{thread_id(2)}"
        assert (await store.list(ThreadQuery(limit=1))).next_cursor == f"2026-11-20T12:00:00Z|{thread_id(2)}"
        assert await listed(store, cursor="2026-11-20T12:00:01Z") == [2, 1]
        assert await listed(store, cursor="2026-11-20T12:00:00Z") == []

    async def test_an_empty_page_has_no_cursors(self, store: ThreadStore) -> None:
        assert await store.list(ThreadQuery()) == ThreadPage([], None, None)

    @pytest.mark.parametrize(
        "cursor", ["zz", "", "2026-11-20T12:00:00", "2026-11-20T12:00:00Z|", "2026-11-20T12:00:00Z|x", "12"]
    )
    async def test_what_is_no_cursor_is_told_as_such(self, store: ThreadStore, cursor: str) -> None:
        with pytest.raises(InvalidCursor) as caught:
            await store.list(ThreadQuery(cursor=cursor))
        assert caught.value.message == f"invalid cursor: {cursor}"

    @pytest.mark.parametrize(("limit", "size"), [(None, 25), (0, 1), (1, 1), (30, 30), (1000, 100)])
    async def test_a_page_has_a_size(self, store: ThreadStore, tmp_path: Path, limit: int | None, size: int) -> None:
        for number in range(1, 102):
            raw(tmp_path, number, session(number), event("user_message", message="hi"))
        assert len(await listed(store, limit=limit)) == size

    def test_a_cursor_comes_back_as_it_was(self) -> None:
        for cursor in (cursors.Cursor(1, None), cursors.Cursor(1_700_000_000_000, thread_id(1))):
            assert cursors.parse(str(cursor)) == cursor


class TestFilters:
    @pytest.fixture
    def threads(self, tmp_path: Path) -> None:
        spoken(tmp_path, 1, "Äpfel und Birnen", cwd="/a")
        spoken(tmp_path, 2, "pears", cwd="/b", model_provider="other")
        spoken(tmp_path, 3, "nuts", cwd="/b/c", model_provider=None, source="exec", parent_thread_id=thread_id(1))

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, [2, 1]),
            ({"source_kinds": []}, [2, 1]),
            ({"source_kinds": ["exec"]}, [3]),
            ({"source_kinds": ["exec", "vscode"]}, [3, 2, 1]),
            ({"source_kinds": ["cli"]}, []),
            ({"model_providers": []}, [2, 1]),
            ({"model_providers": ["openai"]}, [1]),
            ({"model_providers": ["openai", "other"]}, [2, 1]),
            ({"cwd": "/a"}, [1]),
            ({"cwd": ["/a", "/b"]}, [2, 1]),
            ({"cwd": []}, []),
            ({"cwd": "/"}, []),
            ({"search_term": "pear"}, [2]),
            ({"search_term": "ÄPFEL"}, [1]),
            ({"search_term": "%"}, []),
            ({"search_term": ""}, [2, 1]),
            ({"parent_thread_id": thread_id(1), "source_kinds": ["exec"]}, [3]),
            ({"parent_thread_id": thread_id(2), "source_kinds": ["exec"]}, []),
            ({"excluded_thread_ids": [thread_id(2)]}, [1]),
            ({"excluded_thread_ids": []}, [2, 1]),
        ],
    )
    @pytest.mark.usefixtures("threads")
    async def test_a_filter_lets_through_what_it_names(
        self, store: ThreadStore, query: dict[str, Any], found: list[int]
    ) -> None:
        assert await listed(store, **query) == found

    @pytest.mark.usefixtures("threads")
    async def test_names_are_searched_too(self, store: ThreadStore) -> None:
        await store.set_name(thread_id(2), "Straße")
        assert await listed(store, search_term="STRASSE") == [2]
        await store.set_name(thread_id(2), "Weg")
        assert await listed(store, search_term="STRASSE") == []

    @pytest.mark.parametrize(
        ("source", "told", "kind"),
        [
            ("cli", "cli", "cli"),
            ("mcp", "appServer", "appServer"),
            ("appServer", "unknown", "unknown"),
            (None, "unknown", "unknown"),
            ({"weird": 1}, "unknown", "unknown"),
            ({"custom": "atlas"}, {"custom": "atlas"}, "custom"),
            ({"subagent": "review"}, {"subAgent": "review"}, "subAgentReview"),
            ({"subagent": "compact"}, {"subAgent": "compact"}, "subAgentCompact"),
            ({"subagent": "new"}, {"subAgent": "new"}, "subAgent"),
            ({"subagent": {"other": "z"}}, {"subAgent": {"other": "z"}}, "subAgentOther"),
            (
                {"subagent": {"thread_spawn": {"parent_thread_id": "p"}}},
                {"subAgent": {"thread_spawn": {"parent_thread_id": "p"}}},
                "subAgentThreadSpawn",
            ),
            ({"subagent": 5}, {"subAgent": 5}, "subAgent"),
        ],
    )
    def test_a_source_has_a_form_for_clients_and_a_kind(self, source: Any, told: Any, kind: str) -> None:
        assert sources.wire(source) == told
        assert sources.kind(told) == kind
        assert (kind in sources.kinds_for(None)) == (kind in ("cli", "vscode", "custom"))
        assert (kind in sources.kinds_for(["subAgent"])) == kind.startswith("subAgent")

    async def test_the_parent_of_a_sub_agent_is_known_from_its_source(self, store: ThreadStore, tmp_path: Path) -> None:
        source = {"subagent": {"thread_spawn": {"parent_thread_id": thread_id(9)}}}
        spoken(tmp_path, 1, source=source)
        query = ThreadQuery(parent_thread_id=thread_id(9), source_kinds=["subAgent"])
        assert [summary.parent_thread_id for summary in (await store.list(query)).summaries] == [thread_id(9)]
