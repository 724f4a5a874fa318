from collections.abc import Callable

import bodies
import numpy as np
import pytest

from server.evaluation.actions import RULES, Bound, Rule, actions_of
from server.evaluation.measures import measure
from server.motion.rotation import Array

QUARTER = np.pi / 2
# What each motion shows, and nothing else.
SHOWN: dict[str, tuple[Callable[..., Array], set[str]]] = {
    "standing": (bodies.stand, {"stand"}),
    "walking": (bodies.walk, {"walk"}),
    "walking slowly": (lambda **at: bodies.walk(0.5, 1.4, swing=0.25, **at), {"walk"}),
    "running": (lambda **at: bodies.walk(2.8, 2.6, swing=0.7, **at), {"run"}),
    "walking backwards": (lambda **at: bodies.walk(-0.9, **at), {"walk backwards"}),
    "walking and turning left": (lambda **at: bodies.walk(turn=QUARTER, **at), {"walk", "turn left"}),
    "walking and turning right": (lambda **at: bodies.walk(turn=-QUARTER, **at), {"walk", "turn right"}),
    "waving the left hand": (lambda **at: bodies.raise_hands("left", wave=0.3, **at), {"wave", "wave left"}),
    "waving the right hand": (lambda **at: bodies.raise_hands("right", wave=0.3, **at), {"wave", "wave right"}),
    "waving both hands": (lambda **at: bodies.raise_hands("left", "right", wave=0.3, **at), {"wave", "wave both"}),
    "raising the left hand": (lambda **at: bodies.raise_hands("left", **at), {"raise", "raise left"}),
    "raising the right hand": (lambda **at: bodies.raise_hands("right", **at), {"raise", "raise right"}),
    "raising both hands": (lambda **at: bodies.raise_hands("left", "right", **at), {"raise", "raise both"}),
    "bowing": (bodies.bow, {"bow"}),
    "kicking": (bodies.kick, {"kick"}),
    "kicking with the left foot": (lambda **at: bodies.kick("left", **at), {"kick"}),
    "punching": (bodies.punch, {"punch"}),
    "punching with the left fist": (lambda **at: bodies.punch("left", **at), {"punch"}),
    "dancing": (bodies.dance, {"dance"}),
    "bending down for good": (lambda **at: bodies.bow(rise=False, **at), set()),
    "leaning a little": (lambda **at: bodies.bow(16.0, **at), set()),
    "holding the fists up": (lambda **at: bodies.punch(thrown=False, **at), set()),
    "kicking backwards": (lambda **at: bodies.kick(forward=False, **at), set()),
    "pointing forward": (lambda **at: bodies.punch(hold=True, **at), set()),
}


@pytest.mark.parametrize("heading", [0.0, 1.3, np.pi, -1.9])
@pytest.mark.parametrize("what", SHOWN)
def test_a_motion_passes_the_rules_of_what_it_shows_and_no_other(what: str, heading: float):
    motion, expected = SHOWN[what]
    assert set(actions_of(measure(motion(heading=heading), bodies.FPS))) == expected


def test_every_rule_is_passed_by_some_motion():
    assert set().union(*(actions for _, actions in SHOWN.values())) == set(RULES)


def test_a_failing_bound_gives_the_value_and_its_limits():
    failures = list(RULES["run"].failures(measure(bodies.walk(1.2), bodies.FPS)))
    assert failures == ["speed 1.20 is not in 1.6..inf"]


def test_a_failing_choice_says_what_each_alternative_lacks():
    measures = measure(bodies.stand(), bodies.FPS)
    rule = Rule(
        (Bound("speed", high=1.0),), ((Bound("speed", 2.0), Bound("turn", 9.0)), (Bound("left_hand.swings", 3),))
    )
    failures = list(rule.failures(measures))
    assert failures == [
        "speed 0.00 is not in 2..inf and turn 0.00 is not in 9..inf",
        "left_hand.swings 0.00 is not in 3..inf",
    ]
    assert not rule.holds(measures)


def test_one_alternative_is_enough():
    rule = Rule(alternatives=((Bound("speed", 2.0),), (Bound("speed", high=1.0),)))
    assert rule.holds(measure(bodies.stand(), bodies.FPS))


def test_every_bound_names_a_measure():
    measures = measure(bodies.stand(), bodies.FPS)
    for rule in RULES.values():
        for bound in (*rule.bounds, *(bound for group in rule.alternatives for bound in group)):
            assert bound.low < bound.high
            bound.holds(measures)
