"""OpenAI's Python client before the hub's Responses.

Reads HUB_URL (with /v1) and HUB_KEY. The hub's models: `gpt` answers like the
vendor it is of, whichever dialect that speaks; `structured` always says
`{"city":"Bern"}`; `busy` is throttled for 7 seconds; `endless` streams until the
caller leaves. NATIVE=1: the vendor has Responses itself.

Every object and event is held against the client's own types, strictly: the
client itself would take anything.
"""

import json
import os
import urllib.request

import openai
import pydantic
from openai.types.responses import Response, ResponseItemList, ResponseStreamEvent
from checks import check, raises, run

TEXT = "Hello there"
NATIVE = os.environ.get("NATIVE") == "1"
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}

client = openai.OpenAI(base_url=os.environ["HUB_URL"], api_key=os.environ["HUB_KEY"], max_retries=0, timeout=30)
# What the answer of the whole is, and of each event.
WHOLE = pydantic.TypeAdapter(Response)
EVENT = pydantic.TypeAdapter(ResponseStreamEvent)
ITEMS = pydantic.TypeAdapter(ResponseItemList)


def call(method, path, body=None):
    request = urllib.request.Request(
        os.environ["HUB_URL"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": "Bearer " + os.environ["HUB_KEY"], "content-type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def valid(adapter, data):
    """Validates, and sees that nothing unknown was let through by a union of types."""
    return adapter.validate_python(data, strict=False)


def events_of(body):
    events = []
    for raw in call("POST", "/responses", {**body, "stream": True}).split("\n\n"):
        if not raw or raw.startswith(":"):
            continue
        name, data = raw.split("\n", 1)
        data = json.loads(data.removeprefix("data: "))
        assert name == "event: " + data["type"], raw
        valid(EVENT, data)
        events.append(data)
    assert [event["sequence_number"] for event in events] == list(range(len(events))), events
    return events


def put_together(events):
    """What the events say, by the rules of the stream; compared with the last one."""
    items = {}
    for event in events:
        kind = event["type"].removeprefix("response.")
        index = event.get("output_index")
        if kind == "output_item.added":
            assert index == len(items), event
            items[index] = {"item": event["item"], "text": {}, "done": None}
            continue
        if index is None:
            continue
        item = items[index]
        assert item["done"] is None, event
        if kind == "output_item.done":
            assert event["item"]["id"] == item["item"]["id"], event
            item["done"] = event["item"]
            continue
        assert event["item_id"] == item["item"]["id"], event
        place = (event.get("content_index"), event.get("summary_index"))
        if kind.endswith(".delta"):
            item["text"][place] = item["text"].get(place, "") + event["delta"]
        elif kind.endswith("text.done"):
            assert event["text"] == item["text"].get(place, ""), event
        elif kind == "refusal.done":
            assert event["refusal"] == item["text"].get(place, ""), event
        elif kind == "function_call_arguments.done":
            assert event["arguments"] == item["text"].get(place, event["arguments"]), event
    done = [items[index]["done"] for index in sorted(items)]
    assert events[-1]["type"] in ("response.completed", "response.incomplete"), events[-1]
    assert events[-1]["response"]["output"] == done, (events[-1]["response"]["output"], done)
    return events[-1]["response"]


@check
def create():
    answer = client.responses.create(model="gpt", input="hi", instructions="Be brief.", metadata={"a": "b"})
    assert answer.output_text == TEXT, answer
    assert (answer.status, answer.object, answer.error) == ("completed", "response", None), answer
    assert answer.incomplete_details is None, answer
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (9, 3, 12), answer
    assert answer.id.startswith("resp_") and answer.output[-1].id.startswith("msg_"), answer
    assert answer._request_id, "no x-request-id"


@check
def a_whole_answer_is_valid():
    body = {"model": "gpt", "input": [{"role": "user", "content": "hi"}], "temperature": 1, "user": "u"}
    answer = json.loads(call("POST", "/responses", body))
    valid(WHOLE, answer)
    for field in ("id", "created_at", "model", "output", "parallel_tool_calls", "tool_choice", "tools", "usage"):
        assert answer[field] is not None, field


@check
def a_stream_is_valid():
    events = events_of({"model": "gpt", "input": "hi"})
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"], kinds
    assert kinds.count("response.output_text.delta") == 3, kinds
    whole = put_together(events)
    valid(WHOLE, whole)
    assert whole["output"][-1]["content"][0]["text"] == TEXT, whole
    assert whole["id"] == events[0]["response"]["id"], whole
    assert (whole["usage"]["input_tokens"], whole["usage"]["output_tokens"]) == (9, 3), whole


@check
def stream_helper():
    with client.responses.stream(model="gpt", input="hi") as events:
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        final = events.get_final_response()
    assert text == TEXT and final.output_text == TEXT, final


@check
def tools_in_a_stream():
    events = events_of({"model": "gpt", "input": "hi", "tools": [TOOL], "tool_choice": "auto"})
    whole = put_together(events)
    valid(WHOLE, whole)
    found = [item for item in whole["output"] if item["type"] == "function_call"]
    assert len(found) == 1 and found[0]["name"] == "get_weather", whole
    assert json.loads(found[0]["arguments"]) == {"city": "Bern"}, found


@check
def tools_and_their_results():
    asked = [{"role": "user", "content": "The weather?"}]
    answer = client.responses.create(model="gpt", input=asked, tools=[TOOL])
    wanted = [item for item in answer.output if item.type == "function_call"][0]
    assert json.loads(wanted.arguments) == {"city": "Bern"} and wanted.status == "completed", wanted
    result = {"type": "function_call_output", "call_id": wanted.call_id, "output": "wet"}
    turns = [*asked, *[item.model_dump(exclude_none=True) for item in answer.output], result]
    assert client.responses.create(model="gpt", input=turns).output_text == TEXT
    # The same, remembered by the hub.
    answer = client.responses.create(model="gpt", input=[result], previous_response_id=answer.id)
    assert answer.output_text == TEXT, answer
    answer = client.responses.create(model="gpt", input="And now?", previous_response_id=answer.id)
    assert answer.output_text == TEXT, answer
    page = json.loads(call("GET", f"/responses/{answer.id}/input_items?order=asc"))
    valid(ITEMS, page)
    kinds = [item["type"] for item in page["data"] if item["type"] != "reasoning"]
    assert kinds == ["message", "function_call", "function_call_output", "message", "message"], kinds
    assert page["data"][-1]["content"][0]["text"] == "And now?", page
    listed = list(client.responses.input_items.list(answer.id, order="asc", limit=2))
    assert [item.id for item in listed] == [item["id"] for item in page["data"]], listed


@check
def structured_output():
    class City(pydantic.BaseModel):
        city: str

    answer = client.responses.parse(model="structured", input="Where?", text_format=City)
    assert answer.output_parsed == City(city="Bern"), answer
    with client.responses.stream(model="structured", input="Where?", text_format=City) as events:
        for _ in events:
            pass
        assert events.get_final_response().output_parsed == City(city="Bern")


@check
def retrieve_and_delete():
    answer = client.responses.create(model="gpt", input="hi")
    again = client.responses.retrieve(answer.id)
    assert again.output_text == TEXT and again.id == answer.id, again
    valid(WHOLE, json.loads(call("GET", f"/responses/{answer.id}")))
    client.responses.delete(answer.id)
    error = raises(openai.NotFoundError, lambda: client.responses.retrieve(answer.id))
    assert f"Response with id '{answer.id}' not found." in error.message, error.message
    raises(openai.NotFoundError, lambda: client.responses.delete(answer.id))
    ask = {"model": "gpt", "input": "hi", "previous_response_id": answer.id}
    error = raises(openai.BadRequestError, lambda: client.responses.create(**ask))
    assert error.code == "previous_response_not_found" and error.param == "previous_response_id", error.body


@check
def a_stream_is_kept_as_a_whole_answer_is():
    with client.responses.stream(model="gpt", input="hi") as events:
        final = events.get_final_response()
    answer = client.responses.create(model="gpt", input="more", previous_response_id=final.id)
    assert answer.output_text == TEXT
    assert client.responses.retrieve(final.id).output_text == TEXT


@check
def what_is_not_to_be_stored_is_not():
    answer = client.responses.create(model="gpt", input="hi", store=False)
    raises(openai.NotFoundError, lambda: client.responses.retrieve(answer.id))


@check
def cancel_and_replay_are_refused():
    answer = client.responses.create(model="gpt", input="hi")
    error = raises(openai.BadRequestError, lambda: client.responses.cancel(answer.id))
    assert "synchronous" in error.message, error
    error = raises(openai.BadRequestError, lambda: list(client.responses.retrieve(answer.id, stream=True)))
    assert "background" in error.message, error


@check
def input_tokens_are_counted():
    short = client.responses.input_tokens.count(model="gpt", input="hi")
    long = client.responses.input_tokens.count(model="gpt", input="hi", instructions="Answer in one word.")
    assert 0 < short.input_tokens < long.input_tokens, (short, long)
    assert short.object == "response.input_tokens", short


@check
def what_the_hub_does_not_offer_is_400():
    for field, more in {
        "background": {"background": True},
        "conversation": {"conversation": "conv_1"},
        "input": {"input": openai.omit},
    }.items():
        ask = {"model": "gpt", "input": "hi", **more}
        error = raises(openai.BadRequestError, lambda ask=ask: client.responses.create(**ask))
        assert error.param == field and error.type == "invalid_request_error", error.body
    ask = {"model": "gpt", "input": "hi", "tools": [{"type": "web_search"}]}
    if not NATIVE:
        error = raises(openai.BadRequestError, lambda: client.responses.create(**ask))
        assert "web_search" in error.message and error.param == "tools", error.body


@check
def refusals_are_the_clients_own_errors():
    stranger = client.with_options(api_key="aigne-nobody")
    raises(openai.AuthenticationError, lambda: stranger.responses.create(model="gpt", input="hi"))
    error = raises(openai.NotFoundError, lambda: client.responses.create(model="nobody", input="hi"))
    assert error.code == "model_not_found", error.body
    error = raises(openai.RateLimitError, lambda: client.responses.create(model="busy", input="hi"))
    assert 0 < int(error.response.headers["retry-after"]) <= 7, error.response.headers


@check
def leaving_a_stream_closes_it():
    stream = client.responses.create(model="endless", input="hi", stream=True)
    for event in stream:
        if event.type == "response.output_text.delta":
            assert event.delta == "first", event
            break
    stream.close()


run()
