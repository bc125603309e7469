"""OpenAI's Python client against a running hub.

Reads HUB_URL (with /v1) and HUB_KEY. The hub's models: `gpt`, `embed`, `image`
answer like OpenAI; `busy` is throttled for 7 seconds; `endless` streams until
the caller leaves; `mock/gpt-4o` is the same as `gpt` by its full name.
Prints one line per check and `N passed, M failed`.
"""

import os

import openai
from checks import check, raises, run

TEXT = "Hello there"
MESSAGES = [{"role": "user", "content": "hi"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]

client = openai.OpenAI(base_url=os.environ["HUB_URL"], api_key=os.environ["HUB_KEY"], max_retries=0, timeout=30)


@check
def chat():
    answer = client.chat.completions.create(model="gpt", messages=MESSAGES)
    assert answer.choices[0].message.content == TEXT, answer
    assert answer.choices[0].finish_reason == "stop", answer
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (9, 3), answer
    assert answer._request_id, "no x-request-id"


@check
def stream():
    chunks = list(client.chat.completions.create(model="gpt", messages=MESSAGES, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT, chunks
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop", chunks
    assert all(chunk.usage is None for chunk in chunks), "usage that nobody asked for"


@check
def stream_with_usage():
    chunks = list(
        client.chat.completions.create(
            model="gpt", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == 12, chunks[-1]
    assert sum(chunk.usage is not None for chunk in chunks) == 1, chunks


@check
def stream_helper():
    with client.chat.completions.stream(model="gpt", messages=MESSAGES) as events:
        final = events.get_final_completion()
    assert final.choices[0].message.content == TEXT, final


@check
def tools():
    answer = client.chat.completions.create(model="gpt", messages=MESSAGES, tools=TOOLS)
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls", answer
    assert (call.id, call.function.name, call.function.arguments) == ("call_mock", "get_weather", '{"city":"Bern"}')


@check
def tools_in_a_stream():
    chunks = list(client.chat.completions.create(model="gpt", messages=MESSAGES, tools=TOOLS, stream=True))
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert [call.index for call in deltas] == [0, 0], deltas
    assert (deltas[0].id, deltas[0].function.name) == ("call_mock", "get_weather"), deltas
    assert "".join(call.function.arguments for call in deltas) == '{"city":"Bern"}', deltas


@check
def embeddings_as_the_client_asks_for_them():
    answer = client.embeddings.create(model="embed", input=["a", "b"])
    assert [row.embedding for row in answer.data] == [[0.25, -0.5, 1.0]] * 2, answer


@check
def embeddings_as_numbers():
    answer = client.embeddings.create(model="embed", input="a", encoding_format="float")
    assert answer.data[0].embedding == [0.25, -0.5, 1.0], answer


@check
def images():
    answer = client.images.generate(model="image", prompt="a lake", n=2)
    assert [image.b64_json for image in answer.data] == ["iVBORw0KGgo="] * 2, answer


@check
def models():
    names = [model.id for model in client.models.list()]
    assert {"gpt", "embed", "image"} <= set(names), names
    assert client.models.retrieve("gpt").id == "gpt"


@check
def a_model_name_with_a_slash_is_one_segment():
    assert client.models.retrieve("mock/gpt-4o").id == "mock/gpt-4o"


@check
def a_wrong_key_is_401():
    stranger = client.with_options(api_key="aigne-nobody")
    error = raises(openai.AuthenticationError, lambda: stranger.models.list())
    assert error.code == "invalid_api_key", error


@check
def an_unknown_model_is_404():
    error = raises(
        openai.NotFoundError, lambda: client.chat.completions.create(model="nobody", messages=MESSAGES)
    )
    assert error.code == "model_not_found", error


@check
def the_vendors_400_arrives_with_its_field():
    error = raises(
        openai.BadRequestError,
        lambda: client.chat.completions.create(model="gpt", messages=MESSAGES, extra_body={"nonsense": 1}),
    )
    assert error.param == "nonsense", error


@check
def a_throttled_model_is_429_and_says_when_to_come_back():
    error = raises(
        openai.RateLimitError, lambda: client.chat.completions.create(model="busy", messages=MESSAGES)
    )
    assert 0 < int(error.response.headers["retry-after"]) <= 7, error.response.headers


@check
def leaving_a_stream_closes_it():
    stream = client.chat.completions.create(model="endless", messages=MESSAGES, stream=True)
    assert next(iter(stream)).choices[0].delta.content == "first"
    stream.close()


run()
