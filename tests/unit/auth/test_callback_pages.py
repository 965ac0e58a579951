"""The pages at the end of a login: well-formed, escaped, guarded, and true."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from app_server.auth.errors import LoginFailed
from app_server.auth.login.callback_pages import failure_answer, success_answer, text_answer
from app_server.http_server import Response

VOID = {"meta", "path", "circle"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; fails on elements that are not closed in order."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        assert isinstance(answer.body, bytes)
        self.source = answer.body.decode()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]] = self.texts.get(self._open[-1], "") + data


FAILURE = LoginFailed("Login server error: <it> failed & so on", "a_code", 'details "with" <quotes>')
PAGES = [success_answer(None), failure_answer(FAILURE, "<it> failed & so on")]


@pytest.mark.parametrize("answer", PAGES)
def test_a_page_has_a_language_a_title_one_heading_and_one_main_part(answer: Response) -> None:
    page = Page(answer)
    names = [name for name, _ in page.elements]
    assert page.source.startswith("<!doctype html>")
    assert dict(page.elements)["html"] == {"lang": "en"}
    assert page.texts["title"] == page.texts["h1"]
    assert names.count("h1") == names.count("main") == names.count("title") == 1
    assert dict(page.elements)["svg"]["aria-hidden"] == "true", "the picture says nothing that the heading does not"


@pytest.mark.parametrize("answer", PAGES)
def test_a_page_is_for_light_and_dark_and_for_small_screens(answer: Response) -> None:
    page = Page(answer)
    assert "prefers-color-scheme: dark" in page.texts["style"]
    metas = [attributes for name, attributes in page.elements if name == "meta"]
    assert {"name": "color-scheme", "content": "light dark"} in metas
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in metas


@pytest.mark.parametrize("answer", PAGES)
def test_a_page_runs_nothing_and_fetches_nothing(answer: Response) -> None:
    page = Page(answer)
    assert not {name for name, _ in page.elements} & {"script", "link", "img", "iframe", "form", "a"}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name in ("src", "href", "style") or name.startswith("on")]
    assert not re.search(r"url\(|@import", page.texts["style"])


@pytest.mark.parametrize("answer", [*PAGES, text_answer(400, "State mismatch"), success_answer("codex")])
def test_every_answer_is_guarded_and_ends_its_connection(answer: Response) -> None:
    headers = dict(answer.headers)
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["connection"] == "close"
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("answer", PAGES)
def test_the_policy_allows_the_style_of_the_page_and_no_other(answer: Response) -> None:
    digest = base64.b64encode(hashlib.sha256(Page(answer).texts["style"].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in dict(answer.headers)["content-security-policy"]


def test_what_comes_from_elsewhere_is_escaped() -> None:
    page = Page(PAGES[1])
    assert "<p>&lt;it&gt; failed &amp; so on</p>" in page.source
    assert "<dd>details &quot;with&quot; &lt;quotes&gt;</dd>" in page.source
    assert page.texts["dd"] == 'a_codedetails "with" <quotes>'


def test_a_failure_has_its_own_headline_where_there_is_one() -> None:
    assert Page(PAGES[1]).texts["h1"] == "Sign-in could not be completed"
    failure = LoginFailed("x", headline="You do not have access to Codex")
    page = Page(failure_answer(failure, "x"))
    assert page.texts["h1"] == "You do not have access to Codex"
    assert "dl" not in page.texts, "an empty list would be read out"


@pytest.mark.parametrize("brand", ["codex", "chatgpt"])
def test_the_hosted_page_is_reached_by_a_redirect_without_any_secret(brand: str) -> None:
    answer = success_answer(brand)  # type: ignore[arg-type]
    assert answer.status == 302
    assert dict(answer.headers)["location"] == f"https://chatgpt.com/codex/open-app?source=login&app_brand={brand}"
