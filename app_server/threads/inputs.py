"""The user's input on its way to the model: texts, images, files of skills, mentions.

What cannot be used does not stop the turn: the model is told instead, and can tell the user. Only what a client can
be expected to know beforehand is refused. Files are read here and nowhere else, off the event loop.
"""

import codecs
import errno
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, TypeVarTuple

import anyio.to_thread

from app_server.threads.images import (
    OMITTED,
    REMOTE_IMAGE,
    data_url,
    image_part,
    is_remote,
    sent_detail,
)
from protocol.errors import MAX_INPUT_CHARACTERS, InputTooLarge, InvalidRequest
from protocol.user_input import (
    ImageUserInput,
    LocalImageUserInput,
    MentionUserInput,
    SkillUserInput,
    TextUserInput,
    UserInput,
)

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

MAX_SKILL_BYTES: Final = 256 * 1024
"""Bytes of a skill's file that are handed to the model."""

Part = dict[str, Any]
"""A part of a message for the Responses API."""


@dataclass(frozen=True, slots=True)
class PreparedInput:
    """What a turn begins with, or is steered by.

    :param content: for the ``userMessage`` item: the input as the client sent it.
    :param parts: for the model; may be empty where ``content`` is not.
    """

    content: list[UserInput]
    parts: list[Part]


class _Unusable(Exception):
    """A file cannot be read, or not as what it is meant to be."""


def check(inputs: Sequence[UserInput]) -> None:
    """Refuse what the client can be expected to know beforehand. Reads no file.

    :raises InputTooLarge: the texts have more than a million code points.
    :raises InvalidRequest: an image would have to be fetched from somewhere.
    """
    size = 0
    for each in inputs:
        match each.root:
            case TextUserInput(text=text):
                size += len(text)
            case ImageUserInput(url=str(url)) if is_remote(url):
                raise InvalidRequest(REMOTE_IMAGE)
    if size > MAX_INPUT_CHARACTERS:
        raise InputTooLarge(size)


async def prepare(inputs: Sequence[UserInput], *, cwd: str, max_image_bytes: int) -> PreparedInput:
    """Check an input and make the parts of the model's message out of it.

    They come in the order of the input, with the files of skills after them. A mention is told to the model unless
    the text has its path already, because the name alone says too little.

    :param cwd: the folder that relative paths start from.
    :param max_image_bytes: of one image file; a larger one is not read.
    :raises InputTooLarge, InvalidRequest: as :func:`check`.
    """
    check(inputs)
    said = [each.root.text for each in inputs if isinstance(each.root, TextUserInput)]
    parts: list[Part] = []
    skills: list[Part] = []
    images = 0
    for each in inputs:
        match each.root:
            case TextUserInput(text=text):
                parts.append(_text(text))
            case ImageUserInput(url=None, file_id=file_id, detail=detail):
                images += 1
                parts.append({"type": "input_image", "file_id": file_id, "detail": sent_detail(detail)})
            case ImageUserInput(url=str(url), detail=detail):
                images += 1
                # A long data: URL takes milliseconds to check.
                parts.append(await _in_thread(image_part, url, detail))
            case LocalImageUserInput() as image:
                images += 1
                parts += await _in_thread(_local_image, image, images, cwd, max_image_bytes)
            case SkillUserInput() as skill:
                skills.append(await _in_thread(_skill, skill, cwd))
            case MentionUserInput(name=name, path=path):
                if not any(path in text for text in said):
                    parts.append(_text(f"The user mentions {name}: {path}"))
    return PreparedInput(list(inputs), [*parts, *skills])


async def _in_thread(work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    # A file may be on a server that does not answer; that must not keep a turn from being interrupted.
    return await anyio.to_thread.run_sync(work, *arguments, abandon_on_cancel=True)


def _text(text: str) -> Part:
    return {"type": "input_text", "text": text}


def _local_image(image: LocalImageUserInput, number: int, cwd: str, max_bytes: int) -> list[Part]:
    try:
        data = _read(cwd, image.path, max_bytes + 1)
        if len(data) > max_bytes:
            raise _Unusable(f"it is larger than {max_bytes} bytes")
    except _Unusable as error:
        return [_text(f"Codex could not read the local image at `{image.path}`: {error}")]
    url = data_url(data)
    shown: Part = (
        _text(OMITTED)
        if url is None
        else {"type": "input_image", "image_url": url, "detail": sent_detail(image.detail)}
    )
    return [_text(f'<image name=[Image #{number}] path="{image.path}">'), shown, _text("</image>")]


def _skill(skill: SkillUserInput, cwd: str) -> Part:
    try:
        data = _read(cwd, skill.path, MAX_SKILL_BYTES + 1)
        text = _decode(data[:MAX_SKILL_BYTES], cut=len(data) > MAX_SKILL_BYTES)
    except _Unusable as error:
        return _text(f"The skill {skill.name} could not be read from `{skill.path}`: {error}")
    return _text(f"<skill>\n<name>{skill.name}</name>\n<path>{skill.path}</path>\n{text}\n</skill>")


def _decode(data: bytes, *, cut: bool) -> str:
    try:
        # Where the file was cut there may be half a character.
        text = codecs.getincrementaldecoder("utf-8")().decode(data, final=not cut)
    except UnicodeDecodeError:
        raise _Unusable("it is not text in UTF-8") from None
    return f"{text}\n[The file is longer; these are its first {len(data)} bytes.]" if cut else text


def _read(cwd: str, path: str, max_bytes: int) -> bytes:
    """The beginning of a file, at most ``max_bytes`` of it.

    A FIFO or a device is never waited for.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        if not path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        descriptor = os.open(os.path.join(cwd, path), flags)  # noqa: PTH118 - pathlib would rewrite the path
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(mode):
                raise _Unusable("it is not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(max_bytes)
        finally:
            os.close(descriptor)
    except OSError as error:
        number = error.errno or errno.EIO
        raise _Unusable(f"{os.strerror(number)} (os error {number})") from None
    except ValueError:  # a NUL, or a lone surrogate that no file's name can have
        raise _Unusable("its name is not one that a file can have") from None
