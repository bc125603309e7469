"""OpenAI's Python client in a loop of tools with a model that thinks.

Reads HUB_URL (with /v1) and HUB_KEY. The model `gpt` is one of a vendor that refuses to
think on without its thoughts. Of an answer only text, ids, names and arguments are kept, as
agents do. Prints one line per check and `N passed, M failed`.
"""

import json
import os

import openai
from checks import run

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]

client = openai.OpenAI(base_url=os.environ["HUB_URL"], api_key=os.environ["HUB_KEY"], max_retries=0, timeout=30)
asked = {"model": "gpt", "tools": TOOLS, "reasoning_effort": "low"}
user = {"role": "user", "content": "hi"}


def turns(content, calls):
    """The conversation with this answer, and what the tools gave."""
    kept = [
        # Agents parse the arguments and write them again, with other spaces.
        {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(json.loads(arguments))}}
        for id, name, arguments in calls
    ]
    results = [{"role": "tool", "tool_call_id": id, "content": "wet"} for id, _, _ in calls]
    return [user, {"role": "assistant", "content": content, "tool_calls": kept}, *results]


def whole():
    message = client.chat.completions.create(messages=[user], **asked).choices[0].message
    assert message.reasoning_content.startswith("Bern"), message
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    assert [json.loads(call[2])["city"] for call in calls] == ["Bern", "Basel"], calls
    answer = client.chat.completions.create(messages=turns(message.content, calls), **asked)
    assert answer.choices[0].message.content == "Rain", answer


def stream():
    content, calls = "", []
    for chunk in client.chat.completions.create(messages=[user], stream=True, **asked):
        for choice in chunk.choices:
            content += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                if call.index == len(calls):
                    calls.append([call.id, call.function.name, ""])
                calls[call.index][2] += call.function.arguments or ""
    assert content == "I look.", content
    answer = client.chat.completions.create(messages=turns(content, calls), stream=True, **asked)
    text = "".join(choice.delta.content or "" for chunk in answer for choice in chunk.choices)
    assert text == "Rain", text


def helper():
    with client.chat.completions.stream(messages=[user], **asked) as events:
        for _ in events:
            pass
        message = events.get_final_completion().choices[0].message
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    answer = client.chat.completions.create(messages=turns(message.content, calls), **asked)
    assert answer.choices[0].message.content == "Rain", answer


run([whole, stream, helper])
