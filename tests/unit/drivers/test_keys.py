"""The keys that the console's forms offer for a connection."""

from __future__ import annotations

import pytest

from drivers import registry
from tests.support.devices import device


@pytest.mark.parametrize("word", registry.names())
def test_what_a_form_offers_is_what_the_driver_takes(word: str) -> None:
    driver = registry.driver(word)
    assert driver.keys(), "a form would show no line at all"
    for key in dict(driver.keys()):
        ways = ({}, {"webhook": "/a"}) if word == "http" else ({},)
        told = [[one for one in driver.check(device("d", {**way, key: 1}, [])) if one.key == key] for way in ways]
        assert any(all("unknown key" not in str(one.what) for one in way) for way in told), key
