"""Images on their way to the model: what counts as one, and how it is sent.

Known by their first bytes, never decoded and never resized: there is no image library here. The upstream refuses what
is broken further in.
"""

import base64
import binascii
from typing import Any, Final

REMOTE_IMAGE: Final = "remote image URLs are not supported; use an inline data URL instead"
"""Why an ``http`` or ``https`` URL is refused: the server fetches nothing for a client, nor does every upstream."""

OMITTED: Final = "image content omitted because it could not be processed"
"""What the model reads in place of what is no image."""

DEFAULT_DETAIL: Final = "high"

_HEAD: Final = 64
"""Characters of base64 that hold enough of an image to know it."""


def is_remote(url: str) -> bool:
    """Whether the URL is to be fetched from somewhere."""
    return url[:8].lower().startswith(("http://", "https://"))


def media_type(data: bytes) -> str | None:
    """The type of an image by its first bytes (PNG, JPEG, GIF, WebP), or None if it is none of these."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def data_url(data: bytes) -> str | None:
    """The image as a ``data:`` URL (RFC 2397), or None if it is no image."""
    kind = media_type(data)
    return None if kind is None else f"data:{kind};base64,{base64.b64encode(data).decode()}"


def image_part(url: str, detail: str | None = None) -> dict[str, Any]:
    """The part of a message that shows an image to the model: an ``input_image``, or a text if it is none.

    A ``data:`` URL is named by what it holds rather than by what it says, and is checked to its last character: an
    upstream refuses a broken one, and again with every later request of the thread. Other URLs go out as they are.
    """
    if url[:5].lower() == "data:":
        checked = _checked(url)
        if checked is None:
            return {"type": "input_text", "text": OMITTED}
        url = checked
    return {"type": "input_image", "image_url": url, "detail": sent_detail(detail)}


def sent_detail(detail: str | None) -> str:
    """The detail to ask for. Not every upstream knows ``original``, and nothing is resized here anyway."""
    return DEFAULT_DETAIL if detail in (None, "original") else detail


def _checked(url: str) -> str | None:
    header, comma, payload = url.partition(",")
    if not comma or not header.lower().endswith(";base64"):
        return None
    try:
        kind = media_type(base64.b64decode(payload[:_HEAD], validate=True))
        if kind is None:
            return None
        binascii.a2b_base64(payload, strict_mode=True)
    except ValueError:
        return None
    named = f"data:{kind};base64,"
    # Not copied where it need not be: the item and the history have the same string.
    return url if url.startswith(named) else named + payload
