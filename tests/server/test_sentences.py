"""Which sentences are taken apart, where, and which are not."""

import re
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocol import limits
from server.sentences import MAX_ACTIONS, actions


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        # words of sequence
        ("a girl skips along, then claps", ("a girl skips along", "a girl claps")),
        ("a girl skips along and then claps", ("a girl skips along", "a girl claps")),
        ("a girl skips along then claps.", ("a girl skips along", "a girl claps")),
        ("a girl skips along. Then she claps!", ("a girl skips along", "a girl claps")),
        ("a girl skips along; afterwards she claps", ("a girl skips along", "a girl claps")),
        ("a girl skips along, and after that she claps", ("a girl skips along", "a girl claps")),
        ("a girl skips along and, a moment later, claps", ("a girl skips along and", "a girl claps")),
        ("a girl skips along and claps afterwards", ("a girl skips along", "a girl claps")),
        ("first a girl skips along, next she claps", ("a girl skips along", "a girl claps")),
        ("a girl first skips along, finally she claps", ("a girl skips along", "a girl claps")),
        ("a girl skips along. She claps.", ("a girl skips along", "a girl claps")),
        ("a girl skips along before clapping", ("a girl skips along", "a girl is clapping")),
        ("a girl skips along before she claps", ("a girl skips along", "a girl claps")),
        ("before clapping, a girl skips along", ("a girl skips along", "a girl is clapping")),
        ("a girl claps after skipping along", ("a girl is skipping along", "a girl claps")),
        ("after skipping along, a girl claps", ("a girl is skipping along", "a girl claps")),
        ("after she skips along, a girl claps", ("a girl skips along", "a girl claps")),
        ("someone crawls through a tunnel, followed by a high kick",
         ("someone crawls through a tunnel", "someone does a high kick")),
        ("a slow crawl followed by a high kick", ("a slow crawl", "a high kick")),
        ("someone does a cartwheel, then a handstand", ("someone does a cartwheel", "someone does a handstand")),
        # who does it
        ("a weary old king climbs the stairs, then he sits", ("a weary old king climbs the stairs", "a weary old king sits")),
        ("a weary old king climbs the stairs, then the king sits",
         ("a weary old king climbs the stairs", "a weary old king sits")),
        ("a dancer spins. They quickly bow", ("a dancer spins", "a dancer quickly bows")),
        ("two dancers spin, then they bow", ("two dancers spin", "two dancers bow")),
        ("two people spin, then they bow", ("two people spin", "two people bow")),
        ("a goblin lurches ahead, then collapses", ("a goblin lurches ahead", "a goblin collapses")),
        ("a boy is swimming and then climbing", ("a boy is swimming", "a boy is climbing")),
        ("a boy swimming, then climbing", ("a boy swimming", "a boy climbing")),
        ("swim, then climb", ("swim", "climb")),
        ("a boy swims, then a woman climbs, then she sits", ("a boy swims", "a woman climbs", "a woman sits")),
        ("a boy swims, then his left knee twitches, then he sits", ("a boy swims", "his left knee twitches", "a boy sits")),
        # more than two, lists, ellipses
        ("a clown jumps, waves, and bows", ("a clown jumps", "a clown waves", "a clown bows")),
        ("a clown jumps, waves, then kicks a ball", ("a clown jumps", "a clown waves", "a clown kicks a ball")),
        ("a child runs forward, then backwards", ("a child runs forward", "a child runs backwards")),
        ("a child marches, then halts and salutes", ("a child marches", "a child halts and salutes")),
        ("a child sits down and then stands up", ("a child sits down", "a child stands up")),
        ("a child bends down, then straightens up and waves", ("a child bends down", "a child straightens up and waves")),
    ],
)  # fmt: skip
def test_actions_in_sequence_are_told_apart(sentence: str, parts: tuple[str, ...]):
    assert actions(sentence) == parts


@pytest.mark.parametrize(
    "sentence",
    [
        "a person walks",
        "  then walks on ",
        "a person walks and waves",
        "a person claps while walking",
        "an actor raises the right hand, then lowers it",
        "an actor raises both hands and then lets them drop again",
        "an actor puts the right hand up before taking it down",
        "the right leg swings forward, then back",
        "both arms go up and then the hands come together",
        "a monk leans forward into a bow and then stands back up",
        "a monk bows, then straightens up",
        "a monk kicks and then brings the foot back",
        "a monk squats down and then gets up again",
        "a monk jumps and then lands",
        "a monk strolls along, then heads off to the right",
        "a monk walks ahead before turning left",
        "a monk walks ahead, then turns around",
        "a monk walks ahead, then starts turning back",
        "a monk walks on, turns to the left and keeps walking",
        "a monk jogs on the spot, then stops",
        "a monk raises one fist and then the other",
        "steps forward, one foot after the other",
        "a monk runs after a ball",
        "a monk stands before a mirror",
        "a monk walks next to a wall",
        "a monk walks, then as if nothing had happened",
        "a monk sways to and fro, now and then, with closed eyes",
        "a monk followed by a dog crosses the road",
        "a monk is followed by a dog",
        "a monk walks. He is old.",
        "walk on. Show some joy!",
        "a monk rejoices after winning the lottery",
        "a monk bows before it rains",
        "before the gong sounds, a monk bows",
        "a monk lifts his arms before the people in the temple",
        "come along then, run",
        "...",
        "then",
    ],
)
def test_one_action_stays_as_it_is(sentence: str):
    assert actions(sentence) == (sentence.strip(),)


SUBJECTS = ("a person", "the tired man", "someone", "an old lady", "a happy child", "the figure")
VERBS = {
    "walk": "walks", "wave with the left hand": "waves with the left hand", "bow deeply": "bows deeply", "punch": "punches",
    "dance to the music": "dances to the music", "jump up": "jumps up", "sit on a chair": "sits on a chair", "clap": "claps",
    "throw a ball": "throws a ball", "salute": "salutes",
}  # fmt: skip
JOINTS = (
    ", then ",
    " and then ",
    " then ",
    ". Then ",
    "; afterwards ",
    ", and after that ",
    ", and finally ",
    ", next, ",
)


@given(
    st.sampled_from(SUBJECTS),
    st.lists(st.sampled_from(sorted(VERBS)), min_size=1, max_size=MAX_ACTIONS),
    st.lists(st.tuples(st.sampled_from(JOINTS), st.sampled_from(["", "he ", "she "])), min_size=MAX_ACTIONS),
)
def test_what_was_put_together_comes_apart(subject: str, verbs: list[str], joints: list[tuple[str, str]]):
    assume(all(one != other for one, other in pairwise(verbs)))
    sentence = f"{subject} {VERBS[verbs[0]]}"
    for verb, (joint, pronoun) in zip(verbs[1:], joints, strict=False):
        sentence += f"{joint}{pronoun}{VERBS[verb]}"
    expected = tuple(f"{subject} {VERBS[verb]}" for verb in verbs)
    assert actions(sentence) == expected
    assert all(actions(part) == (part,) for part in expected)


# Words that join or point may go; those of the actions may not.
JOINING = re.findall(
    r"\w+",
    "then and but after before that this which afterwards next finally later moment a first followed by he she they it is are does "
    "do the while short pause second",
)
WORDS = re.findall(
    r"\w+",
    "person man old arm left hand walks waves bows kicks turn turning raising lowers up down back again around jumps sit quickly "
    "slowly forward backwards stands still both dance ball in with to",
)


@given(st.lists(st.sampled_from([*WORDS, *JOINING, ",", ".", ";"]), min_size=1, max_size=40))
def test_no_word_of_an_action_is_lost(words: list[str]):
    sentence = re.sub(r" ([,.;])", r"\1", " ".join(words)).strip()
    parts = actions(sentence)
    told = [word for part in parts for word in re.findall(r"\w+", part)]
    assert 1 <= len(parts) <= MAX_ACTIONS
    assert all(part.strip() == part for part in parts)
    assert all(part for part in parts) or not sentence
    lost = [word for word in words if word.isalpha() and word not in JOINING and told.count(word) < words.count(word)]
    assert not lost


@given(st.text(max_size=limits.MAX_TEXT_CHARACTERS))
def test_any_text_is_taken(text: str):
    parts = actions(text)
    assert 1 <= len(parts) <= MAX_ACTIONS
    assert len(parts) > 1 or parts == (text.strip(),)


def test_what_is_too_much_stays_with_the_last():
    sentence = "a person " + ", then ".join(["waves", "bows"] * 5)
    parts = actions(sentence)
    assert len(parts) == MAX_ACTIONS
    assert parts[-1].count("a person") == 10 - MAX_ACTIONS + 1


@pytest.mark.parametrize(
    "text",
    ["a, " * 160, "then " * 100, "and then a " * 45, "a" * 500, "after " * 80 + "walking", "before walking " * 33],
)
def test_long_texts_take_no_time(text: str):
    assert actions(text)
