"""What is offered to a centre is measured whole: nothing is lost on the way, and each point keeps its order."""

from __future__ import annotations

from app.bench import offered


def test_every_change_is_taken_in_its_order() -> None:
    figures = {figure.name: figure for figure in offered.run(0.5)}
    assert figures["10,000 offered points interrogated"].value
    assert figures["changes that never came"].value == 0 and figures["offered points out of order"].value == 0
