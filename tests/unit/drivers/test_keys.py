"""The keys that the console's forms offer for a connection."""

from __future__ import annotations

import pytest

from drivers import registry
from tests.support.devices import device


@pytest.mark.parametrize("word", registry.names())
def test_what_a_form_offers_is_what_the_driver_takes(word: str) -> None:
    driver = registry.driver(word)
    assert driver.keys(), "a form would show no line at all"
    for key in driver.keys():
        way = {"webhook": "/a"} if word == "http" and key in ("host", "port", "window", "per_minute", "silence") else {}
        told = driver.check(device("d", {**way, key: 1}, []))
        assert not [one for one in told if one.key == key and "unknown key" in str(one.what)], key
