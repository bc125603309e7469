"""Google's Python client against a running hub.

Reads HUB_URL (with /v1) and HUB_KEY. The hub's model `gpt` says `Hello there`,
or calls `get_weather` where it has tools; `embed` embeds; `busy` is throttled.
Prints one line per check and `N passed, M failed`.
"""

import os

from google import genai
from google.genai import errors, types
from checks import check, run

TEXT = "Hello there"
ROOT = os.environ["HUB_URL"].removesuffix("/v1")


def client(version=None, key=os.environ["HUB_KEY"]):
    options = types.HttpOptions(base_url=ROOT, api_version=version, timeout=30_000)
    return genai.Client(api_key=key, http_options=options)


google = client()


def raises(call):
    try:
        call()
    except errors.APIError as error:
        return error
    raise AssertionError("no error")


@check
def chat():
    answer = google.models.generate_content(model="gpt", contents="hi")
    assert answer.text == TEXT, answer
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP, answer
    usage = answer.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (9, 3), usage


@check
def the_older_version_too():
    older = client("v1beta")
    assert older.models.generate_content(model="gpt", contents="hi").text == TEXT


@check
def a_model_by_its_full_name():
    answer = google.models.generate_content(model=os.environ["HUB_FULL_NAME"], contents="hi")
    assert answer.text == TEXT, answer


@check
def stream():
    chunks = list(google.models.generate_content_stream(model="gpt", contents="hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == TEXT, chunks
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP, chunks[-1]
    assert chunks[-1].usage_metadata.candidates_token_count == 3, chunks[-1]


@check
def settings():
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=50,
        stop_sequences=["END"],
        response_mime_type="application/json",
        response_schema={"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
    )
    assert google.models.generate_content(model="gpt", contents="hi", config=config).text == TEXT


@check
def tools():
    config = types.GenerateContentConfig(
        tools=[
            types.Tool(
                function_declarations=[
                    types.FunctionDeclaration(
                        name="get_weather",
                        description="The weather of a city",
                        parameters=types.Schema(type="OBJECT", properties={"city": types.Schema(type="STRING")}),
                    )
                ]
            )
        ]
    )
    question = types.Content(role="user", parts=[types.Part(text="weather?")])
    answer = google.models.generate_content(model="gpt", contents=[question], config=config)
    call = answer.function_calls[0]
    assert (call.name, call.args) == ("get_weather", {"city": "Bern"}), call
    result = types.Part.from_function_response(name=call.name, response={"sky": "blue"})
    if call.id:
        result.function_response.id = call.id
    history = [question, answer.candidates[0].content, types.Content(role="user", parts=[result])]
    again = google.models.generate_content(model="gpt", contents=history)
    assert again.text == TEXT, again


@check
def a_picture_goes_along():
    if os.environ.get("HUB_PICTURES"):
        picture = types.Part.from_bytes(data=b"\x89PNG\r\n\x1a\n", mime_type="image/png")
        assert google.models.generate_content(model="gpt", contents=[picture, "what is it?"]).text == TEXT


@check
def a_conversation():
    chat = google.chats.create(model="gpt")
    assert [chat.send_message(text).text for text in ("hi", "and?")] == [TEXT, TEXT]
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("more")) == TEXT


@check
def embeddings():
    answer = google.models.embed_content(model="embed", contents=["a", "b"])
    assert [len(row.values) for row in answer.embeddings] == [3, 3], answer


@check
def tokens():
    assert google.models.count_tokens(model="gpt", contents="hello world").total_tokens == 2


@check
def models():
    names = [model.name for model in google.models.list()]
    assert "models/gpt" in names, names
    assert google.models.get(model="gpt").name == "models/gpt"


@check
def refusals():
    error = raises(lambda: google.models.generate_content(model="nobody", contents="hi"))
    assert (error.code, error.status) == (404, "NOT_FOUND"), error
    stranger = client(key="wrong")
    error = raises(lambda: stranger.models.generate_content(model="gpt", contents="hi"))
    assert (error.code, error.status) == (401, "UNAUTHENTICATED"), error
    error = raises(lambda: google.models.generate_content(model="busy", contents="hi"))
    assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED"), error
    assert isinstance(error, errors.ClientError), error


run()
