"""The marker ``tsc``: tests that need the TypeScript compiler run only when asked for, with ``-m tsc``."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "tsc: needs the TypeScript compiler, from APP_SERVER_TSC or PATH")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "tsc" in config.option.markexpr:
        return
    needing = [item for item in items if item.get_closest_marker("tsc")]
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in needing]
