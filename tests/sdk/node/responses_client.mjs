// OpenAI's Node client before the hub's Responses.
//
// Reads HUB_URL (with /v1) and HUB_KEY. The hub's models: `gpt` answers like the
// vendor it is of, whichever dialect that speaks; `structured` always says
// `{"city":"Bern"}`; `busy` is throttled for 7 seconds; `endless` streams until the
// caller leaves. Prints one line per check and `N passed, M failed`.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { refusal, run } from "./checks.mjs";

const TEXT = "Hello there";
const tool = {
  type: "function",
  name: "get_weather",
  description: "The weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" } } },
  strict: false,
};
const options = { baseURL: process.env.HUB_URL, apiKey: process.env.HUB_KEY, maxRetries: 0, timeout: 30_000 };
const client = new OpenAI(options);

const checks = {
  async create() {
    const { data, request_id } = await client.responses.create({ model: "gpt", input: "hi" }).withResponse();
    assert.equal(data.output_text, TEXT);
    assert.equal(data.status, "completed");
    assert.equal(data.usage.total_tokens, 12);
    assert.ok(request_id, "no x-request-id");
  },

  async stream() {
    const kinds = [];
    let text = "";
    for await (const event of await client.responses.create({ model: "gpt", input: "hi", stream: true })) {
      assert.equal(event.sequence_number, kinds.length);
      kinds.push(event.type);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    assert.equal(text, TEXT);
    assert.equal(kinds[0], "response.created");
    assert.equal(kinds.at(-1), "response.completed");
  },

  async stream_helper() {
    const stream = client.responses.stream({ model: "gpt", input: "hi" });
    let text = "";
    stream.on("response.output_text.delta", (event) => (text += event.delta));
    const final = await stream.finalResponse();
    assert.equal(text, TEXT);
    assert.equal(final.output_text, TEXT);
  },

  async tools_and_their_results() {
    const input = [{ role: "user", content: "The weather?" }];
    const stream = client.responses.stream({ model: "gpt", input, tools: [tool] });
    const answer = await stream.finalResponse();
    const call = answer.output.find((item) => item.type === "function_call");
    assert.deepEqual(JSON.parse(call.arguments), { city: "Bern" });
    const result = { type: "function_call_output", call_id: call.call_id, output: "wet" };
    const repeated = await client.responses.create({ model: "gpt", input: [...input, ...answer.output, result] });
    assert.equal(repeated.output_text, TEXT);
    const remembered = { model: "gpt", input: [result], previous_response_id: answer.id };
    assert.equal((await client.responses.create(remembered)).output_text, TEXT);
  },

  async structured_output() {
    const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
    const format = { type: "json_schema", name: "city", schema, strict: true };
    const answer = await client.responses.create({ model: "structured", input: "Where?", text: { format } });
    assert.deepEqual(JSON.parse(answer.output_text), { city: "Bern" });
  },

  async retrieve_list_and_delete() {
    const first = await client.responses.create({ model: "gpt", input: "one" });
    const second = await client.responses.create({ model: "gpt", input: "two", previous_response_id: first.id });
    assert.equal((await client.responses.retrieve(second.id)).output_text, TEXT);
    const texts = [];
    for await (const item of client.responses.inputItems.list(second.id, { order: "asc", limit: 1 })) {
      texts.push(item.content[0].text);
    }
    assert.deepEqual(texts, ["one", TEXT, "two"]);
    await client.responses.delete(first.id);
    const error = await refusal(OpenAI.NotFoundError, client.responses.retrieve(first.id));
    assert.equal(error.code, "response_not_found");
    const again = client.responses.create({ model: "gpt", input: "x", previous_response_id: first.id });
    assert.equal((await refusal(OpenAI.BadRequestError, again)).code, "previous_response_not_found");
    await refusal(OpenAI.BadRequestError, client.responses.cancel(second.id));
  },

  async refusals() {
    const background = client.responses.create({ model: "gpt", input: "hi", background: true });
    assert.equal((await refusal(OpenAI.BadRequestError, background)).param, "background");
    const nobody = client.responses.create({ model: "nobody", input: "hi" });
    assert.equal((await refusal(OpenAI.NotFoundError, nobody)).code, "model_not_found");
    const busy = client.responses.create({ model: "busy", input: "hi" });
    const wait = Number((await refusal(OpenAI.RateLimitError, busy)).headers.get("retry-after"));
    assert.ok(wait > 0 && wait <= 7, `${wait}`);
  },

  async leaving_a_stream_closes_it() {
    const stream = await client.responses.create({ model: "endless", input: "hi", stream: true });
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") {
        assert.equal(event.delta, "first");
        break;
      }
    }
    stream.controller.abort();
  },
};

await run(checks);
