"""A plugin of pytest (``-p tests.conformance.selection``): of ``tests/wire``, the tests that hold for both servers.

The others are left out, each for a reason that stands in ``wire_tests``. With ``APP_SERVER_CONFORMANCE_ALL`` set they
are run all the same: which of them hold for the reference too, and need not be declared, the summary (``-rX``) tells.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.conformance.wire_tests import is_about_no_server, why_left_out
from tests.support import reference

ALL_VARIABLE: Final = "APP_SERVER_CONFORMANCE_ALL"

_ROOT: Final = Path(__file__).parents[2]
_WIRE: Final = _ROOT / "tests" / "wire"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """What speaks to no server over pipes need not even be imported."""
    if collection_path.is_relative_to(_WIRE) and is_about_no_server(collection_path.relative_to(_WIRE).as_posix()):
        return True
    return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is declared, and keep tests apart that need the one port that a browser login may have."""
    kept, left_out = [], []
    for item in items:
        file = item.path.relative_to(_ROOT).as_posix()
        item.add_marker(pytest.mark.xdist_group("login" if "login" in file else file))
        reason = None
        if item.path.is_relative_to(_WIRE):
            reason = why_left_out(item.path.relative_to(_WIRE).as_posix(), item.name)
        if reason is not None and ALL_VARIABLE in os.environ and reference.is_under_test():
            item.add_marker(pytest.mark.xfail(reason=reason, strict=False))
        elif reason is not None:
            left_out.append(item)
            continue
        kept.append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)
