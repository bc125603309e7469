// OpenAI's Node client against a running hub.
//
// Reads HUB_URL (with /v1) and HUB_KEY. The hub's models: `gpt`, `embed`, `image`
// answer like OpenAI; `busy` is throttled for 7 seconds; `endless` streams until
// the caller leaves; `mock/gpt-4o` is the same as `gpt` by its full name.
// Prints one line per check and `N passed, M failed`.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { refusal, run } from "./checks.mjs";

const TEXT = "Hello there";
const messages = [{ role: "user", content: "hi" }];
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } } },
    },
  },
];

const options = { baseURL: process.env.HUB_URL, apiKey: process.env.HUB_KEY, maxRetries: 0, timeout: 30_000 };
const client = new OpenAI(options);

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const checks = {
  async chat() {
    const { data, request_id } = await client.chat.completions.create({ model: "gpt", messages }).withResponse();
    assert.equal(data.choices[0].message.content, TEXT);
    assert.equal(data.choices[0].finish_reason, "stop");
    assert.equal(data.usage.total_tokens, 12);
    assert.ok(request_id, "no x-request-id");
  },

  async stream() {
    const chunks = await collect(await client.chat.completions.create({ model: "gpt", messages, stream: true }));
    assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join(""), TEXT);
    assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
    assert.ok(chunks.every((chunk) => !chunk.usage), "usage that nobody asked for");
  },

  async stream_with_usage() {
    const asked = { model: "gpt", messages, stream: true, stream_options: { include_usage: true } };
    const chunks = await collect(await client.chat.completions.create(asked));
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.equal(chunks.at(-1).usage.total_tokens, 12);
    assert.equal(chunks.filter((chunk) => chunk.usage).length, 1);
  },

  async stream_helper() {
    const final = await client.chat.completions.stream({ model: "gpt", messages }).finalChatCompletion();
    assert.equal(final.choices[0].message.content, TEXT);
  },

  async tools() {
    const answer = await client.chat.completions.create({ model: "gpt", messages, tools });
    const [call] = answer.choices[0].message.tool_calls;
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    assert.deepEqual(call, {
      id: "call_mock",
      type: "function",
      function: { name: "get_weather", arguments: '{"city":"Bern"}' },
    });
  },

  async tools_in_a_stream() {
    const asked = { model: "gpt", messages, tools, stream: true };
    const chunks = await collect(await client.chat.completions.create(asked));
    const deltas = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
    assert.deepEqual(deltas.map((call) => call.index), [0, 0]);
    assert.equal(deltas[0].id, "call_mock");
    assert.equal(deltas.map((call) => call.function.arguments).join(""), '{"city":"Bern"}');
  },

  async embeddings_as_the_client_asks_for_them() {
    const answer = await client.embeddings.create({ model: "embed", input: ["a", "b"] });
    assert.deepEqual(answer.data.map((row) => Array.from(row.embedding)), Array(2).fill([0.25, -0.5, 1]));
  },

  async embeddings_as_numbers() {
    const answer = await client.embeddings.create({ model: "embed", input: "a", encoding_format: "float" });
    assert.deepEqual(answer.data[0].embedding, [0.25, -0.5, 1]);
  },

  async images() {
    const answer = await client.images.generate({ model: "image", prompt: "a lake", n: 2 });
    assert.deepEqual(answer.data.map((image) => image.b64_json), Array(2).fill("iVBORw0KGgo="));
  },

  async models() {
    const names = (await collect(client.models.list())).map((model) => model.id);
    for (const name of ["gpt", "embed", "image"]) assert.ok(names.includes(name), names.join());
    assert.equal((await client.models.retrieve("gpt")).id, "gpt");
  },

  async a_model_name_with_a_slash_is_one_segment() {
    assert.equal((await client.models.retrieve("mock/gpt-4o")).id, "mock/gpt-4o");
  },

  async a_wrong_key_is_401() {
    const stranger = new OpenAI({ ...options, apiKey: "aigne-nobody" });
    const error = await refusal(OpenAI.AuthenticationError, collect(stranger.models.list()));
    assert.equal(error.code, "invalid_api_key");
  },

  async an_unknown_model_is_404() {
    const asked = client.chat.completions.create({ model: "nobody", messages });
    assert.equal((await refusal(OpenAI.NotFoundError, asked)).code, "model_not_found");
  },

  async the_vendors_400_arrives_with_its_field() {
    const asked = client.chat.completions.create({ model: "gpt", messages, nonsense: 1 });
    assert.equal((await refusal(OpenAI.BadRequestError, asked)).param, "nonsense");
  },

  async a_throttled_model_is_429_and_says_when_to_come_back() {
    const error = await refusal(
      OpenAI.RateLimitError,
      client.chat.completions.create({ model: "busy", messages }),
    );
    const seconds = Number(error.headers.get("retry-after"));
    assert.ok(seconds > 0 && seconds <= 7, String(seconds));
  },

  async leaving_a_stream_closes_it() {
    const stream = await client.chat.completions.create({ model: "endless", messages, stream: true });
    for await (const chunk of stream) {
      assert.equal(chunk.choices[0].delta.content, "first");
      break;
    }
    assert.ok(stream.controller.signal.aborted);
  },
};

await run(checks);
