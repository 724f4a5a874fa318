import pytest

from protocol import limits
from protocol.messages import Control, Error, Prompt, PromptStatus, Timeline, TimelinePrompt
from protocol.unfinished import MOST_FOR_ONE_CHARACTER, Unfinished


def prompt(prompt_id, **fields):
    return Prompt(**{"id": prompt_id, "text": f"walk {prompt_id}", "mode": "queue", **fields})


def status(prompt_id, what, character="main"):
    return PromptStatus(character=character, id=prompt_id, status=what)


def told(*messages):
    unfinished = Unfinished()
    for message in messages:
        (unfinished.seen if isinstance(message, PromptStatus | Error) else unfinished.sent)(message)
    return unfinished


def ids(unfinished):
    return {message.character: [p.id for p in message.prompts] for message in unfinished.again()}


def test_what_was_asked_is_asked_again_with_all_it_said():
    fields = {"seconds": 3.0, "seed": 7, "guidance": 2.0}
    asked = prompt("a", character="hero", mode="replace", on_end="repeat", **fields)
    (message,) = told(asked).again()
    entry = TimelinePrompt(id="a", text="walk a", **fields)
    assert message == Timeline(character="hero", prompts=(entry,), mode="replace", on_end="repeat")


@pytest.mark.parametrize("end", ["finished", "cancelled", "failed"])
def test_what_has_ended_is_not(end):
    unfinished = told(prompt("a"), prompt("b"), status("a", "accepted"), status("a", "started"), status("a", end))
    assert ids(unfinished) == {"main": ["b"]}
    unfinished.seen(status("b", end))
    assert unfinished.again() == []


def test_statuses_of_other_characters_are_theirs():
    assert ids(told(prompt("a"), prompt("a", character="hero"), status("a", "finished", "hero"))) == {"main": ["a"]}


def test_what_was_refused_is_not_asked_again_and_the_one_it_would_have_replaced_is():
    refusals = (Error(code="busy", message="x"), Error(code="rate_limited", message="x", id="b"))
    assert ids(told(prompt("a"), prompt("b", mode="replace"), *refusals)) == {"main": ["a"]}
    entries = tuple(TimelinePrompt(id=name, text=name) for name in "cd")
    refused = Error(code="too_many_prompts", message="x", id="t")
    assert ids(told(prompt("a"), Timeline(id="t", prompts=entries, mode="queue"), refused)) == {"main": ["a"]}


def test_what_was_replaced_stopped_or_removed_is_not_asked_again():
    entries = tuple(TimelinePrompt(id=name, text=name) for name in "cde")
    assert ids(told(prompt("a"), prompt("b"), Timeline(prompts=entries), prompt("f"))) == {"main": ["c", "d", "e", "f"]}
    for action in ("stop", "remove"):
        asked = (prompt("a"), prompt("a", character="hero"), Control(action=action))
        assert ids(told(*asked)) == {"hero": ["a"]}
    assert ids(told(prompt("a"), Control(action="pause"))) == {"main": ["a"]}


def test_a_long_queue_takes_several_messages_and_memory_is_bounded():
    names = [str(number) for number in range(3 * MOST_FOR_ONE_CHARACTER)]
    messages = told(*(prompt(name, on_end="hold") for name in names)).again()
    assert [p.id for message in messages for p in message.prompts] == names[-MOST_FOR_ONE_CHARACTER:]
    assert [message.mode for message in messages] == ["replace"] + ["queue"] * (len(messages) - 1)
    assert max(len(message.prompts) for message in messages) == limits.MAX_TIMELINE_PROMPTS
    crowd = told(*(prompt("a", character=str(number)) for number in range(3 * limits.MAX_CHARACTERS)))
    assert len(crowd.again()) == limits.MAX_CHARACTERS


def test_what_never_left_is_not_asked_again_and_what_it_would_have_replaced_is():
    entries = tuple(TimelinePrompt(id=name, text=name) for name in "cd")
    late = prompt("b", mode="replace"), Timeline(id="t", prompts=entries)
    unfinished = told(prompt("a"), *late)
    for message in (Control(action="stop"), *late):
        unfinished.unsent(message)
    assert ids(unfinished) == {"main": ["a"]}
