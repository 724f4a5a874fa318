"""Tokens and the accounts behind them: who is let in, what the holders of one token may use together."""

import pytest

from protocol.errors import ErrorCode
from protocol.messages import Control, Edit, Generate, Prompt, Timeline, TimelinePrompt
from server.access import Access, Account, HelloError, same_secret
from server.config import Quota, ServeConfig, Token

TOKENS = {"studio": Token(secret="sésame", connections=3), "guest": Token(secret="open", characters=1)}


def prompt(text="a person waves", number=1):
    return Prompt(id=f"p{number}", text=text)


def timeline(*texts):
    return Timeline(id="t", prompts=tuple(TimelinePrompt(id=f"e{at}", text=text) for at, text in enumerate(texts)))


def test_each_secret_opens_its_own_account():
    access = Access(ServeConfig(token="single", tokens=TOKENS, quota=Quota(connections=7)))
    for secret, name, connections in (("single", "default", 7), ("sésame", "studio", 3), ("open", "guest", 7)):
        account = access.account(secret)
        assert (account.name, account.quota.connections) == (name, connections)
        assert access.account(secret) is account
    assert access.account("open").quota.characters == 1
    assert access.account("single").quota.characters is None


@pytest.mark.parametrize("token", [None, "", "sesame", "sésam", "sésamee", "SÉSAME", "studio", "\ud800"])
def test_no_other_token_opens_any(token):
    access = Access(ServeConfig(tokens=TOKENS))
    with pytest.raises(HelloError, match="no token" if token is None else "wrong token") as refused:
        access.account(token)
    assert refused.value.code is ErrorCode.UNAUTHORIZED
    assert "sésame" not in str(refused.value)


def test_without_tokens_everyone_shares_one_account():
    access = Access(ServeConfig(quota=Quota(connections=1)))
    assert access.account(None) is access.account("not asked for")
    assert access.account(None).quota.connections == 1


def test_every_secret_is_compared_whichever_is_right(monkeypatch):
    compared = []
    real = __import__("hmac").compare_digest
    monkeypatch.setattr("server.access.hmac.compare_digest", lambda *pair: compared.append(pair) or real(*pair))
    access = Access(ServeConfig(token="single", tokens=TOKENS))
    for secret in ("single", "open", "x" * 1024):
        compared.clear()
        try:
            access.account(secret)
        except HelloError:
            assert secret == "x" * 1024
        assert len(compared) == 3
        assert {len(side) for pair in compared for side in pair} == {32}


def test_a_secret_of_any_length_is_compared():
    config = ServeConfig(metrics_token="sésame")
    assert same_secret("sésame", config.metrics_token)
    assert not same_secret("", config.metrics_token)
    assert not same_secret("sésam", config.metrics_token)


def test_a_connection_too_many_is_refused_and_a_place_is_free_again():
    account = Account("studio", Quota(connections=2))
    account.connect("a")
    account.connect("b")
    account.connect("a")  # another connection takes the session over
    with pytest.raises(HelloError, match="has 2 connections already, its limit is 2") as refused:
        account.connect("c")
    assert refused.value.code is ErrorCode.TOO_MANY_CONNECTIONS
    account.disconnect("a")
    account.connect("c")
    account.end("b")
    account.connect("d")
    assert account.connections == 2


def test_characters_of_all_sessions_count_until_their_session_ends():
    account = Account("studio", Quota(characters=3))
    account.count_characters("a", 1)
    account.count_characters("b", 2)
    account.disconnect("b")
    assert "have 3 characters, its limit is 3" in account.no_room_for_character()
    account.end("b")
    assert account.no_room_for_character() is None
    assert account.characters == 1


def test_prompts_within_any_minute_are_counted():
    account = Account("studio", Quota(prompts_per_minute=3))
    assert account.refused(prompt(), 0.0) is None
    assert account.refused(timeline("walk", "run"), 30.0) is None
    error = account.refused(prompt(number=9), 59.0)
    assert (error.code, error.id, error.character) == ("prompt_rate_limited", "p9", "main")
    assert "3 prompts came within a minute, the limit of this token is 3; try again in 1.0 s" in error.message
    assert account.refused(prompt(), 60.0) is None
    assert "try again in 30.0 s" in account.refused(timeline("walk", "run"), 60.0).message
    assert account.refused(timeline("walk", "run"), 90.0) is None
    assert account.refused(Generate(id="g", text="walk"), 90.0).code == "prompt_rate_limited"
    assert account.refused(Control(action="stop"), 90.0) is None


def test_more_prompts_at_once_than_a_minute_allows_are_never_taken():
    account = Account("studio", Quota(prompts_per_minute=1))
    assert "2 at once are more than that" in account.refused(timeline("walk", "run"), 0.0).message
    assert account.refused(prompt(), 0.0) is None


def test_a_text_too_long_is_refused_with_its_field_and_not_counted():
    account = Account("studio", Quota(text_characters=4, prompts_per_minute=1))
    error = account.refused(timeline("walk", "a person runs"), 0.0)
    assert (error.code, error.id, error.field) == ("text_too_long", "t", "prompts[1].text")
    assert "prompts[1].text has 13 characters, the limit of this token is 4" in error.message
    edit = Edit.model_construct(id="e", text="a person runs")
    assert account.refused(edit, 0.0).field == "text"
    assert account.refused(prompt("walk"), 0.0) is None


def test_message_size():
    account = Account("studio", Quota(message_bytes=1024))
    assert account.too_big(bytes(1024)) is None
    assert account.too_big(bytes(1025)) == "message has 1025 bytes, the limit of this token is 1024"
    assert Account("studio", Quota()).too_big(bytes(10**6)) is None
