"""Sentences of several actions in sequence, taken apart: "a man walks, then he waves" is "a man walks" and "a man waves".

For models that learnt sentences of one action. English only, by rules; nothing here knows of models. What is in doubt stays
together: "X and Y" may be one movement, and "lifts an arm, then lowers it" is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MAX_ACTIONS: Final = 6
"""So many are taken apart; what follows stays with the last."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PEOPLE: Final = _words(
    "person man woman figure character human individual someone somebody boy girl guy lady gentleman child kid baby adult dancer "
    "actor actress performer player fighter boxer soldier warrior knight zombie robot monster giant ninja pirate athlete runner "
    "walker worker guard hero villain king queen teenager people men women children"
)
_PLURAL: Final = _words("people men women children we they two three four both")
_PRONOUNS: Final = _words("he she they it i you we")
_DETERMINERS: Final = _words(
    "a an the this that one two three four another some my your our his her their its both each"
)
_AMOUNTS: Final = _words("few several couple of two three four five six many")
_BODY: Final = _words(
    "arm arms hand hands leg legs foot feet head knee knees elbow elbows fist fists hip hips body torso shoulder shoulders chest "
    "back finger fingers heel heels thumb thumbs"
)
_NO_VERBS: Final = _DETERMINERS | _words(
    "of at to from with without in on by into onto over under above below across along through towards toward around about near "
    "like as if than and or but so because while when where which who whose whom that for off out up down left right back forward "
    "forwards backward backwards sideways upward upwards downward downwards ahead again once twice not no all more less other "
    "others there here before after until round"
)
_STATES: Final = _words("is are was were am has have had look seem appear feel")
_HELPERS: Final = _words("is are was were start starts starting started begin begins beginning began")
_DOING: Final = _words("do perform make give take throw execute")

# What ends a movement, or goes on with it, and is part of it.
_ENDINGS: Final = _words(
    "lower drop return relax straighten rise release recover land reset unbend keep continue proceed"
)
_BACK: Final = {
    **dict.fromkeys(
        _words("bring put take let set move pull place swing draw"), _words("back down again drop fall sink rest go")
    ),
    **dict.fromkeys(_words("stand get"), _words("up back upright straight")),
    **dict.fromkeys(_words("go come"), _words("back again")),
    "hold": _words("it that them still there pose position"),
    "stay": _words("there so like"),
}
_UP: Final = _words("rise stand get straighten")
_SEATED: Final = _words("sit lie lay kneel fall sleep")
_PAUSES: Final = _words("stop pause halt wait rest")
_TRAVEL: Final = _words(
    "walk run jog stride stroll step march go move head travel pace sprint wander stomp shuffle hurry limp sneak tiptoe follow "
    "skip hop jump crawl"
)
_TURN: Final = _words("turn")
_TURNS: Final = _words("head veer curve swerve bear go make take bend")
_SIDES: Final = _words("left right corner")
_OTHER_WAY: Final = _words("back backward backwards forward forwards sideways")
_STANDING: Final = _words("wave bow kick punch dance clap sit throw salute point raise lift jump")
# Whole actions: commas between three of these are steps of a sequence.
_WHOLE: Final = _words(
    "walk run jog jump hop skip wave bow kick punch dance clap spin sit crawl throw squat kneel swim climb march sprint salute "
    "point crouch stretch box curtsy"
)
_KNOWN: Final = (
    _WHOLE | _STANDING | _TRAVEL | _TURNS | _TURN | _ENDINGS | _SEATED | _words("stand put bring climb catch")
)
_PAST: Final = {
    "ran": "run", "went": "go", "sat": "sit", "stood": "stand", "threw": "throw", "fell": "fall", "did": "do", "took": "take",
    "made": "make", "gave": "give", "brought": "bring", "came": "come", "got": "get", "held": "hold", "kept": "keep",
    "knelt": "kneel", "rose": "rise", "spun": "spin", "swung": "swing", "crept": "creep", "lying": "lie", "does": "do", "goes": "go",
}  # fmt: skip

_PAUSE = r"(?:a|one|two|three|some|several)\s+(?:(?:short|brief|little|few|long)\s+)?(?:moments?|seconds?|while|bit|pause|time)"
_FREE = r"then|after\s+(?:that|this|which)|afterwards?|thereafter|subsequently|followed\s+by"
_BOUND = rf"next(?!\s+to\b)|finally|lastly|eventually|in\s+the\s+end|(?:{_PAUSE}\s+)?later|after\s+{_PAUSE}"
_SEPARATOR: Final = re.compile(
    rf"(?:\s*[,;.!:]+\s*|\s+)(?:and\s+|but\s+)?(?:{_FREE})\b(?:\s*,)?\s*"
    rf"|(?:\s*[,;.!]+\s*(?:and\s+)?|\s+and\s+)(?:{_BOUND})\b(?:\s*,)?\s*"
    r"|\s*[;.!]+\s+(?=\w)",
    re.IGNORECASE,
)
_NO_SEPARATOR: Final = re.compile(r"\b(?:now|since|by|until|till|from|back)$", re.IGNORECASE)
_LEADING: Final = re.compile(
    rf"^(?:(?:and|but|{_FREE}|{_BOUND}|at\s+first|first\s+of\s+all|first(?=,|\s))\b,?\s*)+", re.IGNORECASE
)
_AFTERWARDS: Final = re.compile(r"^(.*\w),?\s+and\s+(\S.*?)\s+(?:afterwards?|after\s+that)[.!]?$", re.IGNORECASE)
_SUBORDINATE_FIRST: Final = re.compile(r"^(before|after)\s+([^,]+),\s*(.+)$", re.IGNORECASE)
_SUBORDINATE_LAST: Final = re.compile(
    r",?\s+(?:(?:just|shortly|immediately)\s+)?(before|after)\s+(?=\w)", re.IGNORECASE
)
_LIST: Final = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+", re.IGNORECASE)


@dataclass(frozen=True)
class _Part:
    """A stretch of the sentence and the words that join it to what comes before."""

    text: str
    joint: str = ", then "

    @property
    def words(self) -> list[str]:
        return re.findall(r"[\w'-]+", self.text.lower())

    def joined(self, other: _Part) -> _Part:
        return _Part(f"{self.text}{other.joint}{other.text}", self.joint)


@dataclass(frozen=True)
class _Clause:
    """Who does it, as it is written, and the words that say what; without a subject, or a verb, these are empty."""

    subject: str
    rest: str

    @property
    def words(self) -> list[str]:
        return re.findall(r"[\w'-]+", self.rest.lower())

    @property
    def verb_at(self) -> int:
        """Place among the words of the one that says what is done: behind adverbs, "is" and "begins to"."""
        words = self.words
        for at, word in enumerate(words):
            helps = word in _HELPERS and any(w.endswith("ing") or w == "to" for w in words[at + 1 : at + 3])
            if not helps and not word.endswith("ly") and word not in ("who", "also", "just", "first", "to"):
                return at
        return len(words)

    @property
    def verb(self) -> str:
        return "".join(self.words[self.verb_at : self.verb_at + 1])

    def does(self, verbs: frozenset[str]) -> bool:
        return not verbs.isdisjoint(_stems(self.verb))


def actions(text: str) -> tuple[str, ...]:
    """The actions of a sentence in the order in which they happen, at most :data:`MAX_ACTIONS`, each a sentence with its subject.

    A sentence of one action comes back as it is, but for white space at its ends.
    """
    whole = text.strip()
    parts: list[_Part] = []
    chunks = _chunks(" ".join(whole.split()))
    for chunk in chunks:
        for part in _ordered(chunk, len(chunks) > 1):
            if parts and _belongs(parts[-1], part):
                parts[-1] = parts[-1].joined(part)
            else:
                parts.append(part)
    if len(parts) < 2:
        return (whole,)
    told = _with_subjects(parts)
    return (
        (*told[: MAX_ACTIONS - 1], ", then ".join(told[MAX_ACTIONS - 1 :])) if len(told) > MAX_ACTIONS else tuple(told)
    )


def _chunks(text: str) -> list[_Part]:
    """The sentence cut at words and marks of sequence."""
    text = _AFTERWARDS.sub(r"\1, then \2", text)
    chunks, start, joint = [], 0, ""
    for match in _SEPARATOR.finditer(text):
        before = text[start : match.start()]
        if not before or _NO_SEPARATOR.search(before) or re.fullmatch(r"\s+then\s*,\s*", match.group()):
            continue
        after = text[match.end() :]
        plain = not re.search(r"[a-z]", match.group(), re.IGNORECASE)
        if plain and not _are_steps(_clause(before), _clause(after)):
            continue
        if "followed" in match.group().lower() and _is_followed(before, after):
            continue
        chunks.append(_Part(before, joint))
        start, joint = match.end(), match.group()
    chunks.append(_Part(text[start:], joint))
    cleaned = [_Part(_LEADING.sub("", chunk.text).strip(" ,;.!:"), chunk.joint) for chunk in chunks]
    return [chunk for chunk in cleaned if chunk.words]


def _ordered(chunk: _Part, sequence: bool) -> list[_Part]:
    """A chunk cut at "before" and "after" and at the commas of a list; ``sequence`` says whether there are other chunks."""
    text = chunk.text
    match = _SUBORDINATE_FIRST.match(text)
    if match and _says_what(match[2]):
        first, second = (match[2], match[3]) if match[1].lower() == "after" else (match[3], match[2])
        return _unless_one(chunk, _Part(first, chunk.joint), _Part(second))
    for match in _SUBORDINATE_LAST.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        if before and _says_what(after):
            if match[1].lower() == "before":
                return _unless_one(chunk, _Part(before, chunk.joint), _Part(after, match.group()))
            return _unless_one(chunk, _Part(after, chunk.joint), _Part(before))
    items = _LIST.split(text) if "," in text else [text]
    stems = [_stems(_clause(item).verb) & _WHOLE for item in items]
    distinct = all(stems) and all(one.isdisjoint(other) for one, other in pairwise(stems))
    if distinct and len(items) >= (2 if sequence else 3):
        return [_Part(items[0], chunk.joint), *(_Part(item) for item in items[1:])]
    return [chunk]


def _is_followed(before: str, after: str) -> bool:
    """Whether "followed by" says who comes behind somebody: "a man followed by a dog walks", "she is followed by him"."""
    somebody, other = _clause(before), _clause(after)
    if re.search(r"\b(?:is|are|was|were|being)$", before, re.IGNORECASE) or (somebody.subject and not somebody.words):
        return True
    return not somebody.subject and bool(other.subject and other.words)


def _unless_one(chunk: _Part, first: _Part, second: _Part) -> list[_Part]:
    return [chunk] if _belongs(first, second) else [first, second]


def _are_steps(first: _Clause, second: _Clause) -> bool:
    """Whether two sentences tell of two actions, not of one and its circumstances: "Walk. Wave.", not "Walk. Show energy."."""
    return bool(first.subject) == bool(second.subject) and first.does(_KNOWN) and second.does(_KNOWN)


def _says_what(text: str) -> bool:
    """Whether what follows "before" or "after" is an action of somebody, not a thing, a time or a circumstance."""
    clause = _clause(text)
    noun = "".join(clause.subject.lower().split()[-1:])
    somebody = noun in _PEOPLE or (noun in _PRONOUNS and noun != "it")
    return (somebody if noun else clause.verb.endswith("ing")) and clause.does(_KNOWN)


def _belongs(before: _Part, part: _Part) -> bool:
    """Whether a part is no action of its own, but the end or a detail of the one before."""
    first, clause = _clause(before.text), _clause(part.text)
    words = clause.words[clause.verb_at :]
    limb = bool(first.subject) and _is_body(first.subject) and not (clause.subject and not _is_body(clause.subject))
    if not words or limb:
        return True
    verb, rest = words[0], frozenset(words[1:])
    travels = not _TRAVEL.isdisjoint(stem for word in before.words for stem in _stems(word))
    if verb in _NO_VERBS:
        thing = _is_thing_done(first, clause, part) and not (travels and not _TURN.isdisjoint(rest))
        return not (thing or (travels and verb in _OTHER_WAY))
    if clause.does(_STATES):
        return True
    if "and" in words and any(not _STANDING.isdisjoint(_stems(word)) for word in words[words.index("and") :]):
        return False
    seated = not _SEATED.isdisjoint(stem for word in before.words for stem in _stems(word))
    if seated and clause.does(_UP):
        return False
    if clause.does(_PAUSES) and len(words) <= 4:
        return True
    if travels and (clause.does(_TURN) or (clause.does(_TURNS) and not rest.isdisjoint(_SIDES))):
        return True
    if clause.does(_ENDINGS):
        return True
    if travels and clause.does(frozenset(("go", "come"))):
        return False
    ends = (end for stem in _stems(verb) for end in _BACK.get(stem, ()))
    return not rest.isdisjoint(ends) and words[1] not in ("a", "an")


def _is_thing_done(first: _Clause, clause: _Clause, part: _Part) -> bool:
    """Whether a part without a verb of its own names a movement: "a kick" behind "does a jump", or "followed by a kick"."""
    if clause.words[0] not in _DETERMINERS:
        return False
    if "followed" in part.joint.lower():
        return bool(not first.subject or first.words)
    return first.does(_DOING) or (first.verb in _DETERMINERS and not first.subject)


def _with_subjects(parts: list[_Part]) -> list[str]:
    """Each part as a sentence of its own, with the subject of the one before where it has none or a pronoun."""
    clauses = [_clause(part.text) for part in parts]
    given = [clause.subject for clause in clauses if clause.subject and not _is_body(clause.subject)]
    subject = next((name for name in given if name.lower() not in _PRONOUNS), clauses[0].subject)
    model = next((clause for clause in clauses if clause.subject), clauses[0])
    told = []
    for part, clause in zip(parts, clauses, strict=True):
        if not clause.subject:
            told.append(_sentence(subject, clause, model, part))
        elif _refers(clause.subject, subject):
            they = clause.subject.lower() == "they" and not _is_plural(subject)
            told.append(f"{subject} {_singular(clause) if they else clause.rest}")
        else:
            subject = subject if _is_body(clause.subject) else clause.subject
            told.append(f"{clause.subject} {clause.rest}".strip())
        model = clause if clause.subject else model
    return told


def _sentence(subject: str, clause: _Clause, model: _Clause, part: _Part) -> str:
    """A clause without a subject, made a sentence in the form of the one before."""
    verb, are = clause.verb, "are" if _is_plural(subject) else "is"
    if verb in _OTHER_WAY or (verb in _DETERMINERS and "followed" not in part.joint.lower() and model.does(_DOING)):
        return " ".join(filter(None, (subject, model.verb, clause.rest)))
    if not subject or subject.lower() == "you":
        return clause.rest
    if verb in _DETERMINERS:
        return f"{subject} {'do' if are == 'are' else 'does'} {clause.rest}"
    bare = bool(model.subject) and model.verb_at == 0 and model.verb.endswith("ing")
    return f"{subject} {clause.rest}" if not verb.endswith("ing") or bare else f"{subject} {are} {clause.rest}"


def _clause(text: str) -> _Clause:
    """The subject and the rest of a part of a sentence."""
    length = len(_noun_phrase(text))
    matches = list(re.finditer(r"[\w'-]+", text))
    if length and length < len(matches):
        return _Clause(
            text[: matches[length - 1].end()], re.sub(r"^[\s,]*(?:first\s+)?", "", text[matches[length - 1].end() :])
        )
    return _Clause(text, "") if length and not _BODY.intersection(_noun_phrase(text)) else _Clause("", text)


def _noun_phrase(text: str) -> list[str]:
    """The words of the subject that a text begins with; none where it begins with what is done."""
    words = re.findall(r"[\w'-]+", text.lower())
    if not words:
        return []
    if words[0] in _PRONOUNS or words[0] in ("someone", "somebody", "people"):
        return words[:1]
    nouns = _PEOPLE | _BODY
    if words[0] not in _DETERMINERS and words[0] not in ("left", "right") and words[0] not in nouns:
        return []
    for at, word in enumerate(words[:7]):
        if word in nouns or word.removesuffix("s") in _PEOPLE:
            return words[: at + 1]
        if at and (word in _NO_VERBS - {"and", "left", "right", "other"}):
            return []
        # "a sailor dances": nobody in the list, but somebody who does something.
        if (
            at > 1
            and words[at - 1] not in _AMOUNTS
            and "and" not in words[:at]
            and re.search(r"[^su'i]s$", word)
            and word not in _BODY
        ):
            return words[:at]
    return []


def _refers(subject: str, named: str) -> bool:
    """Whether a part's own subject only points at the one named before."""
    own, words = subject.lower().split(), named.lower().split()
    if not words or own == words:
        return False
    if own[0] in _PRONOUNS:
        return words[0] not in _PRONOUNS and not (
            own[0] == "it" and words[-1] in _PEOPLE - _words("robot zombie monster")
        )
    return len(own) == 2 and own[0] == "the" and (own[1] == words[-1] or own[1] in ("person", "figure", "character"))


def _is_body(subject: str) -> bool:
    return subject.lower().split()[-1] in _BODY


def _is_plural(subject: str) -> bool:
    words = subject.lower().split()
    return not _PLURAL.isdisjoint(words) or any(
        word not in _PEOPLE and word.removesuffix("s") in _PEOPLE for word in words
    )


def _singular(clause: _Clause) -> str:
    """What "they" do, as "a person" does it."""
    verb = clause.verb
    plain = {"are": "is", "have": "has", "do": "does", "were": "was"}
    first = clause.words[0]
    if first in plain:
        verb, form = first, plain[first]
    elif not verb or verb in _PAST or re.search(r"(?:s|ed|ing)$", verb):
        return clause.rest
    elif re.search(r"(?:sh|ch|x|z|o)$", verb):
        form = f"{verb}es"
    else:
        form = f"{verb[:-1]}ies" if re.search(r"[^aeiou]y$", verb) else f"{verb}s"
    return re.sub(rf"\b{re.escape(verb)}\b", form, clause.rest, count=1, flags=re.IGNORECASE)


def _stems(word: str) -> frozenset[str]:
    """What a form of a verb may be of: "waving" of "wave", "stopped" of "stop"."""
    stems = {word, _PAST.get(word, word)}
    for ending in ("s", "es", "d", "ed", "ing"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            stem = word.removesuffix(ending)
            stems |= {stem, f"{stem}e"}
            if len(stem) > 2 and stem[-1] == stem[-2]:
                stems.add(stem[:-1])
            if stem.endswith("i"):
                stems.add(f"{stem[:-1]}y")
    return frozenset(stems)
