"""Anthropic's Python client against a running hub.

Reads HUB_URL and HUB_KEY. The hub's models: `gpt` answers like the vendor it is
of, which may speak Anthropic's dialect or OpenAI's; `busy` is throttled for 7
seconds; `endless` streams until the caller leaves.
Prints one line per check and `N passed, M failed`.
"""

import os

import anthropic
from checks import check, raises, run

TEXT = "Hello there"
HUB = os.environ["HUB_URL"].removesuffix("/v1")
KEY = os.environ["HUB_KEY"]
MESSAGES = [{"role": "user", "content": "hi"}]
ASK = {"model": "gpt", "max_tokens": 100, "messages": MESSAGES}
TOOLS = [
    {
        "name": "get_weather",
        "description": "The weather of a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
]

client = anthropic.Anthropic(base_url=HUB, api_key=KEY, max_retries=0, timeout=30)


@check
def message():
    answer = client.messages.create(**ASK, system="Be brief.", stop_sequences=["END"])
    assert [block.text for block in answer.content] == [TEXT], answer
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn"), answer
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (9, 3), answer
    assert answer._request_id, "no request-id"


@check
def a_bearer_token_is_as_good_as_a_key():
    other = anthropic.Anthropic(base_url=HUB, auth_token=KEY, max_retries=0, timeout=30)
    assert other.messages.create(**ASK).content[0].text == TEXT


@check
def stream():
    kinds = [event.type for event in client.messages.create(**ASK, stream=True) if event.type != "ping"]
    deltas = [kind for kind in kinds if kind == "content_block_delta"]
    assert kinds == [
        "message_start",
        "content_block_start",
        *deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ], kinds
    assert len(deltas) == 3, kinds


@check
def stream_helper():
    with client.messages.stream(**ASK) as events:
        text = "".join(events.text_stream)
        final = events.get_final_message()
    assert text == TEXT and final.content[0].text == TEXT, final
    assert final.stop_reason == "end_turn", final
    assert (final.usage.input_tokens, final.usage.output_tokens) == (9, 3), final


@check
def tools_and_their_results():
    answer = client.messages.create(**ASK, tools=TOOLS)
    call = answer.content[0]
    assert answer.stop_reason == "tool_use", answer
    assert (call.type, call.name, call.input) == ("tool_use", "get_weather", {"city": "Bern"}), call
    turns = [
        *MESSAGES,
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "wet"}]},
    ]
    answer = client.messages.create(**{**ASK, "messages": turns})
    assert answer.content[0].text == TEXT, answer


@check
def tools_in_a_stream():
    with client.messages.stream(**ASK, tools=TOOLS) as events:
        pieces = [event.partial_json for event in events if event.type == "input_json"]
        final = events.get_final_message()
    assert "".join(pieces) == '{"city":"Bern"}', pieces
    assert final.stop_reason == "tool_use", final
    assert (final.content[0].name, final.content[0].input) == ("get_weather", {"city": "Bern"}), final


@check
def a_wish_to_think_is_no_reason_to_fail():
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answer = client.messages.create(**{**ASK, "max_tokens": 2048}, thinking=thinking)
    assert answer.content[-1].text == TEXT, answer


@check
def count_tokens():
    short = client.messages.count_tokens(model="gpt", messages=MESSAGES).input_tokens
    long = client.messages.count_tokens(
        model="gpt", messages=MESSAGES, system="Answer in one word only.", tools=TOOLS
    ).input_tokens
    assert 0 < short < long, (short, long)


@check
def models_in_pages():
    names = [model.id for model in client.models.list(limit=1)]
    assert "gpt" in names and len(names) == len(set(names)) >= 2, names
    model = client.models.retrieve("gpt")
    # Which of them depends on the day.
    assert model.id == "gpt" and model.lifecycle in {"active", "deprecated", "retired"}, model
    assert model.created_at.year >= 1970 and model.display_name, model


@check
def a_wrong_key_is_401():
    stranger = client.with_options(api_key="aigne-nobody")
    error = raises(anthropic.AuthenticationError, lambda: stranger.messages.create(**ASK))
    assert error.body["error"]["type"] == "authentication_error", error.body
    assert error.request_id, "no request-id"


@check
def an_unknown_model_is_404():
    error = raises(anthropic.NotFoundError, lambda: client.messages.create(**{**ASK, "model": "nobody"}))
    assert error.body["error"]["type"] == "not_found_error", error.body
    assert "nobody" in error.body["error"]["message"], error.body


@check
def a_role_that_nobody_knows_is_400():
    turns = [{"role": "nobody", "content": "hi"}]
    error = raises(anthropic.BadRequestError, lambda: client.messages.create(**{**ASK, "messages": turns}))
    assert error.body["error"]["type"] == "invalid_request_error", error.body
    assert "role" in error.body["error"]["message"], error.body


@check
def a_throttled_model_is_429_and_says_when_to_come_back():
    error = raises(anthropic.RateLimitError, lambda: client.messages.create(**{**ASK, "model": "busy"}))
    assert error.body["error"]["type"] == "rate_limit_error", error.body
    assert 0 < int(error.response.headers["retry-after"]) <= 7, error.response.headers


@check
def leaving_a_stream_closes_it():
    stream = client.messages.create(**{**ASK, "model": "endless"}, stream=True)
    for event in stream:
        if event.type == "content_block_delta":
            assert event.delta.text == "first", event
            break
    stream.close()


run()
