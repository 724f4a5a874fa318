"""Sentences about movement, for distilling a sentence embedder: word lists and a seeded generator over them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from server.training.text_words import (
    ADJECTIVES,
    BODY,
    COMBAT,
    DIRECTIONS,
    GESTURES,
    LOCOMOTION,
    MANNERS,
    SUBJECTS,
)

FRAMES = (
    "the {0} {1} the {2}",
    "a {0} of {1} and {2}",
    "{0} {1}",
    "{0}, {1} and {2}",
    "{0}",
    "this is a {0} {1} with {2}",
    "i think the {0} is {1}",
    "what is {0}?",
    "{0} {1} {2} {3}",
    "how to {0} a {1}",
    "there was {0} in the {1} near {2}",
    "someone is {0} like a {1}",
    "a person with {0} and {1}",
    "{0} the {1} to {2}",
    "{0} {1} {2} {3} {4} {5}",
    "an {0} about {1}",
    "they {0} when the {1} {2}",
    "he said {0} {1}",
    "in {0}, {1} was {2} by {3}",
)
SIDES = ("left", "right")
IRREGULAR_ING = {
    "die": "dying",
    "lie": "lying",
    "flee": "fleeing",
    "bow": "bowing",
    "box": "boxing",
    "row": "rowing",
    "throw": "throwing",
    "draw": "drawing",
    "sway": "swaying",
    "play": "playing",
    "stay": "staying",
    "pray": "praying",
    "tiptoe": "tiptoeing",
    "eat": "eating",
    "jog": "jogging",
    "wander": "wandering",
    "gesture": "gesturing",
    "answer": "answering",
    "shiver": "shivering",
    "cover": "covering",
    "practise": "practising",
    "stagger": "staggering",
    "swagger": "swaggering",
    "surrender": "surrendering",
    "hammer": "hammering",
    "open": "opening",
    "travel": "travelling",
    "vomit": "vomiting",
    "pivot": "pivoting",
    "gallop": "galloping",
    "beckon": "beckoning",
    "boogie": "boogieing",
    "saunter": "sauntering",
    "squat": "squatting",
    "balance": "balancing",
    "groove": "grooving",
    "lower": "lowering",
    "volunteer": "volunteering",
    "ask": "asking",
    "ski": "skiing",
    "listen": "listening",
}
VOWELS = "aeiou"


def third_person(verb: str) -> str:
    """ "wave" -> "waves", "carry" -> "carries"."""
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")) and verb != "tiptoe":
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in VOWELS:
        return verb[:-1] + "ies"
    return verb + "s"


def gerund(verb: str) -> str:
    """ "wave" -> "waving", "run" -> "running"."""
    if verb in IRREGULAR_ING:
        return IRREGULAR_ING[verb]
    if verb.endswith("e") and not verb.endswith(("ee", "oe")):
        return verb[:-1] + "ing"
    closed = len(verb) > 2 and verb[-1] not in VOWELS + "wxy" and verb[-2] in VOWELS and verb[-3] not in VOWELS
    return verb + verb[-1] + "ing" if closed else verb + "ing"


class MovementSentences:
    """Draws sentences about movement; all randomness comes from the generator passed in."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._groups = [[phrase.split() for phrase in group] for group in (LOCOMOTION, GESTURES, COMBAT, BODY)]

    def draw(self) -> str:
        """One sentence, without a full stop more often than with one."""
        rng = self._rng
        kinds: tuple[Callable[[], str], ...] = (self._statement, self._imperative, self._sequence, self._fragment)
        text = rng.choices(kinds, (60, 16, 16, 8))[0]()
        for mark, share in ((".", 0.12), ("!", 0.04)):
            if rng.random() < share:
                return text + mark
        return text

    def _pick(self, words: Sequence[str]) -> str:
        return " ".join(self._rng.choice(words).split())

    def _fill(self, text: str, possessive: str = "their") -> str:
        return text.replace("{p}", possessive).replace("{d}", self._rng.choice(SIDES))

    def _phrase(self, inflect: Callable[[str], str], possessive: str) -> str:
        rng = self._rng
        group = rng.choices(self._groups, (34, 28, 16, 22))[0]
        verb, *rest = rng.choice(group)
        words = [inflect(verb), *rest]
        if (group is self._groups[0] and rng.random() < 0.6) or rng.random() < 0.06:
            words.append(self._pick(DIRECTIONS))
        if rng.random() < 0.42:
            words.insert(0 if rng.random() < 0.25 else len(words), self._pick(MANNERS))
        return self._fill(" ".join(words), possessive)

    def _subject(self) -> tuple[str, str]:
        subject = self._pick(SUBJECTS)
        if subject.startswith("a person") and self._rng.random() < 0.5:
            adjective = self._pick(ADJECTIVES)
            subject = (
                f"{'an' if adjective[0] in VOWELS else 'a'} {adjective} {self._rng.choice(('person', 'man', 'woman'))}"
            )
        return subject, self._rng.choice(("their", "their", "his", "her", "the"))

    def _statement(self) -> str:
        subject, possessive = self._subject()
        if self._rng.random() < 0.4:
            return f"{subject} is {self._phrase(gerund, possessive)}"
        return f"{subject} {self._phrase(third_person, possessive)}"

    def _imperative(self) -> str:
        text = self._phrase(str, self._rng.choice(("your", "your", "the", "my")))
        opening = self._rng.choice(
            (
                "",
                "",
                "",
                "",
                "please ",
                "now ",
                "make him ",
                "make her ",
                "have them ",
                "let's ",
                "i want you to ",
                "can you ",
                "you ",
                "i ",
                "quick, ",
                "ok ",
            )
        )
        return opening + text

    def _sequence(self) -> str:
        subject, possessive = self._subject()
        joint = self._rng.choice((" and then ", " then ", ", then ", " and ", " before ", " while ", " after "))
        inflect = gerund if joint in (" before ", " while ", " after ") else third_person
        return f"{subject} {self._phrase(third_person, possessive)}{joint}{self._phrase(inflect, possessive)}"

    def _fragment(self) -> str:
        rng = self._rng
        return rng.choice(
            (
                lambda: self._phrase(gerund, "the"),
                lambda: f"{self._pick(ADJECTIVES)} {gerund(rng.choice(self._groups[0])[0])}",
                lambda: f"{self._pick(ADJECTIVES)} {rng.choice(rng.choice(self._groups))[0]}",
                lambda: f"{self._pick(ADJECTIVES)} person",
                lambda: self._fill(self._pick(MANNERS)),
                lambda: self._fill(self._pick(DIRECTIONS)),
                lambda: self._pick(SUBJECTS),
            )
        )()


def general_sentence(words: Sequence[str], rng: random.Random) -> str:
    """A sentence of any subject from ``words``, so that words nobody listed still get an embedding of their own."""
    frame = rng.choice(FRAMES)
    return frame.format(*(rng.choice(words) for _ in range(6)))


def misspell(text: str, rng: random.Random, slips: int = 1) -> str:
    """``text`` in which ``slips`` times a letter was swapped with the next, dropped, doubled or replaced."""
    for _ in range(slips):
        places = [index for index, letter in enumerate(text[:-1]) if letter.isalpha() and text[index + 1].isalpha()]
        if not places:
            break
        at = rng.choice(places)
        here, after = text[at], text[at + 1]
        changed = rng.choice(
            (after + here, here, here + here + after, rng.choice("abcdefghijklmnopqrstuvwxyz") + after)
        )
        text = text[:at] + changed + text[at + 2 :]
    return text


def distinct(draw: Callable[[], str], count: int, seen: set[str]) -> list[str]:
    """Up to ``count`` sentences of ``draw`` that are not in ``seen``, which grows by them; bounded at 5 draws each."""
    found: list[str] = []
    for _ in range(5 * count):
        if len(found) == count:
            break
        text = draw()
        if text not in seen:
            seen.add(text)
            found.append(text)
    return found
