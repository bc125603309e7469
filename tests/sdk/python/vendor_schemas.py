"""Bodies that the hub sends, held against the types of the vendors' own clients.

Reads lines of {"path", "body"} from the file that is named. Google's types refuse
unknown names by themselves; for Ollama's that is done here.
Prints one line per body and `N passed, M failed`.
"""

import json
import sys
import traceback

import ollama._types as ollama
from google.genai import types


def known(body, names):
    unknown = set(body) - set(names)
    assert not unknown, f"unknown names {unknown}"


def fields(model):
    return [field.alias or name for name, field in model.model_fields.items()]


def generate_content(body):
    known(body, ["contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "safetySettings"])
    assert body["contents"]
    for content in body["contents"]:
        types.Content.model_validate(content)
    if "systemInstruction" in body:
        types.Content.model_validate(body["systemInstruction"])
    for tool in body.get("tools", []):
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(body.get("toolConfig", {}))
    config = dict(body.get("generationConfig", {}))
    # The client has it in the configuration of a call, beside those of `GenerationConfig`.
    types.ImageConfig.model_validate(config.pop("imageConfig", {}))
    types.GenerationConfig.model_validate(config)


def embed_contents(body):
    known(body, ["requests"])
    for request in body["requests"]:
        known(request, ["model", "content", "taskType", "title", "outputDimensionality"])
        types.Content.model_validate(request["content"])


def ollama_chat(body):
    known(body, fields(ollama.ChatRequest))
    ollama.ChatRequest.model_validate(body)
    for message in body["messages"]:
        known(message, fields(ollama.Message))
        # What goes over the wire is the text that the type becomes.
        images = [ollama.Image(value=text) for text in message.get("images", [])]
        assert [image.model_dump() for image in images] == message.get("images", [])
        ollama.Message.model_validate({**message, "images": images})
        for call in message.get("tool_calls", []):
            known(call, fields(ollama.Message.ToolCall))
            known(call["function"], fields(ollama.Message.ToolCall.Function))
    for tool in body.get("tools", []):
        known(tool, fields(ollama.Tool))
        known(tool["function"], fields(ollama.Tool.Function))
    known(body.get("options", {}), fields(ollama.Options))


def ollama_embed(body):
    known(body, fields(ollama.EmbedRequest))
    ollama.EmbedRequest.model_validate(body)


KINDS = [
    (":generateContent", generate_content),
    (":streamGenerateContent?alt=sse", generate_content),
    (":batchEmbedContents", embed_contents),
    ("/api/chat", ollama_chat),
    ("/api/embed", ollama_embed),
]

passed = failed = 0
with open(sys.argv[1]) as lines:
    for line in lines:
        seen = json.loads(line)
        try:
            [validate] = [validate for ending, validate in KINDS if seen["path"].endswith(ending)]
            validate(seen["body"])
            passed += 1
            print("ok", seen["path"])
        except Exception:
            failed += 1
            print("FAILED", line)
            traceback.print_exc(file=sys.stdout)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0 or passed == 0)
