"""Topic filters, against what paho takes them for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from drivers.mqtt import topics

levels = st.sampled_from(["", "a", "b", "cc", "$SYS"])
topic_names = st.lists(levels, min_size=1, max_size=5).map("/".join).filter(bool)
filters = st.lists(levels | st.just("+"), min_size=1, max_size=5).flatmap(
    lambda parts: st.sampled_from(["/".join(parts), "/".join([*parts, "#"])])
)


@given(filters.filter(bool), topic_names)
def test_a_filter_takes_what_paho_says_it_takes(pattern: str, topic: str) -> None:
    assert topics.filter_trouble(pattern) is None
    assert topics.matches(pattern, topic) == topic_matches_sub(pattern, topic)


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    if topics.trouble(text) is None:
        assert topics.filter_trouble(text) is None and not {"+", "#", "\0"} & set(text) and text
