// AIGNE's own client against a running hub.
//
// Reads HUB_ORIGIN, HUB_KEY and POOR_KEY (whose budget is used up). The hub's
// models: `gpt` answers like the vendor it is of, with JSON where a schema is
// asked for; `prose` never answers with JSON; `image` makes pictures; `busy` is
// throttled; `film` makes videos, `mute` none; `failing` fails; `broken` fails in the middle of a stream; `endless`
// streams until the caller leaves; `gpt-4o` answers OpenAI's own dialect.
// Prints one line per check and `N passed, M failed`.

import assert from "node:assert/strict";
import { AIGNEHubChatModel, AIGNEHubImageModel, AIGNEHubVideoModel } from "@aigne/aigne-hub";
import { AIAgent, AIGNE } from "@aigne/core";
import { run } from "../node/checks.mjs";

const TEXT = "Hello there";
const baseURL = process.env.HUB_ORIGIN;
process.env.AIGNE_HUB_API_URL = baseURL;
const chat = (model, apiKey = process.env.HUB_KEY) => new AIGNEHubChatModel({ model: `aignehub/${model}`, baseURL, apiKey });
const ask = { messages: [{ role: "user", content: "hi" }] };
const tools = [
  {
    type: "function",
    function: {
      name: "get-weather",
      description: "The weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];
const schema = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "number" } },
  required: ["name", "age"],
  additionalProperties: false,
};
const responseFormat = { type: "json_schema", jsonSchema: { name: "person", schema, strict: true } };

// What a stream comes to, merged as the framework merges it.
async function merged(stream) {
  const out = {};
  const texts = [];
  for await (const { delta } of stream) {
    Object.assign(out, delta.json);
    for (const [field, text] of Object.entries(delta.text ?? {})) {
      out[field] = (texts.includes(field) ? out[field] : "") + text;
      if (!texts.includes(field)) texts.push(field);
    }
  }
  return out;
}

async function refused(pattern, promise) {
  try {
    await promise;
  } catch (error) {
    assert.match(error.message, pattern);
    return error;
  }
  assert.fail(`not refused with ${pattern}`);
}

function isWhole(answer) {
  assert.equal(answer.text, TEXT);
  assert.deepEqual([answer.usage.inputTokens, answer.usage.outputTokens], [9, 3]);
  assert.ok(answer.model, "no model");
}

function callsTheTool(answer) {
  assert.equal(answer.toolCalls.length, 1);
  const [call] = answer.toolCalls;
  assert.deepEqual([call.type, call.function.name, call.function.arguments], ["function", "get-weather", { city: "Bern" }]);
  assert.ok(call.id);
  return call;
}

const checks = {
  async a_chat() {
    isWhole(await chat("gpt").invoke(ask));
  },

  async a_stream() {
    const answer = await merged(await chat("gpt").invoke(ask, { streaming: true }));
    isWhole(answer);
  },

  async what_it_cost() {
    const { usage } = await chat("gpt").invoke(ask);
    assert.equal(usage.creditPrefix, "$");
    assert.ok(Math.abs(usage.aigneHubCredits - 0.0000525) < 1e-12, `${usage.aigneHubCredits}`);
  },

  async calls_and_their_results() {
    const model = chat("gpt");
    const call = callsTheTool(await model.invoke({ ...ask, tools: structuredClone(tools), toolChoice: "auto" }));
    const streamed = await model.invoke({ ...ask, tools: structuredClone(tools) }, { streaming: true });
    callsTheTool(await merged(streamed));
    const messages = [
      { role: "system", content: "Be brief." },
      ...ask.messages,
      { role: "agent", toolCalls: [{ ...call, function: { ...call.function, name: "get_weather" } }] },
      { role: "tool", toolCallId: call.id, content: '{"sky":"blue"}' },
    ];
    isWhole(await model.invoke({ messages }));
  },

  async structured_output() {
    const model = chat("gpt");
    const whole = await model.invoke({ ...ask, responseFormat });
    assert.deepEqual(whole.json, { name: "Ada", age: 36 });
    const streamed = await merged(await model.invoke({ ...ask, responseFormat }, { streaming: true }));
    assert.deepEqual(streamed.json, { name: "Ada", age: 36 });
  },

  async prose_in_place_of_json_is_asked_for_once() {
    const pattern = /did not answer with the JSON/;
    await refused(pattern, chat("prose").invoke({ ...ask, responseFormat }));
    await refused(
      pattern,
      chat("prose").invoke({ ...ask, responseFormat }, { streaming: true }).then(merged),
    );
  },

  async a_picture_to_look_at() {
    const content = [
      { type: "text", text: "what is this?" },
      { type: "file", data: "iVBORw0KGgo=", mimeType: "image/png" },
    ];
    const modelOptions = { temperature: 0.2, topP: 0.9, parallelToolCalls: true };
    isWhole(await chat("gpt").invoke({ messages: [{ role: "user", content }], modelOptions }));
  },

  async the_framework() {
    const aigne = new AIGNE({ model: chat("gpt") });
    const agent = AIAgent.from({ instructions: "Be nice.", inputKey: "question", outputKey: "answer" });
    const { answer } = await aigne.invoke(agent, { question: "hi" });
    assert.equal(answer, TEXT);
  },

  async pictures_made_and_edited() {
    const model = new AIGNEHubImageModel({ model: "aignehub/image", baseURL, apiKey: process.env.HUB_KEY });
    const options = { prompt: "a cat", outputFileType: "file" };
    const made = await model.invoke({ ...options, n: 1, size: "1024x1024" });
    const edited = await model.invoke({ ...options, image: [{ type: "file", data: "iVBORw0KGgo=", mimeType: "image/png" }] });
    for (const answer of [made, edited]) {
      assert.deepEqual([answer.images[0].type, answer.images[0].data], ["file", "iVBORw0KGgo="]);
      assert.deepEqual([answer.usage.inputTokens, answer.usage.outputTokens], [5, 100]);
    }
  },

  async a_video() {
    const model = new AIGNEHubVideoModel({ model: "aignehub/film", baseURL, apiKey: process.env.HUB_KEY });
    const { videos, seconds, usage } = await model.invoke({ prompt: "a cat", seconds: "4", outputFileType: "file" });
    const [video] = videos;
    assert.deepEqual([video.type, video.mimeType, seconds], ["file", "video/mp4", 4]);
    assert.equal(Buffer.from(video.data, "base64").toString("latin1"), "\0\0\0\x18ftypmp42-a-video");
    assert.equal(usage.inputTokens, 0);
  },

  async a_model_that_makes_no_videos() {
    const model = new AIGNEHubVideoModel({ model: "aignehub/mute", baseURL, apiKey: process.env.HUB_KEY });
    await refused(/does not offer videos/, model.invoke({ prompt: "a cat" }));
  },

  async the_models() {
    const models = await chat("gpt").models();
    const row = models.find((model) => model.model === "gpt");
    assert.equal(row.input_credits_per_token, "0.0000025");
    assert.equal(row.status.available, true);
  },

  async vendors_own_clients_at_the_same_base() {
    const direct = new AIGNEHubChatModel({ model: "openai/gpt-4o", baseURL, apiKey: process.env.HUB_KEY });
    assert.equal((await direct.invoke(ask)).text, TEXT);
  },

  async a_wrong_key() {
    const error = await refused(/Incorrect API key/, chat("gpt", "blocklet-nobody").invoke(ask));
    assert.equal(error.type, "authentication_error");
  },

  async no_money_left() {
    const error = await refused(/budget/, chat("gpt", process.env.POOR_KEY).invoke(ask));
    assert.equal(error.type, "NOT_ENOUGH");
    await refused(/budget/, chat("gpt", process.env.POOR_KEY).invoke(ask, { streaming: true }).then(merged));
  },

  async an_unknown_model() {
    await refused(/nobody` does not exist/, chat("nobody").invoke(ask));
  },

  async a_throttled_vendor() {
    const error = await refused(/./, chat("busy").invoke(ask));
    assert.equal(error.type, "rate_limit_error");
  },

  async a_failing_vendor() {
    const error = await refused(/./, chat("failing").invoke(ask, { streaming: true }).then(merged));
    assert.equal(error.type, "api_error");
  },

  async a_stream_that_breaks_says_so() {
    const stream = await chat("broken").invoke(ask, { streaming: true });
    let text = "";
    const read = async () => {
      for await (const { delta } of stream) text += delta.text?.text ?? "";
    };
    await refused(/./, read());
    assert.equal(text, "first");
  },

  async leaving_a_stream_closes_it() {
    const stream = await chat("endless").invoke(ask, { streaming: true });
    for await (const { delta } of stream) if (delta.text?.text) break;
  },
};

await run(checks);
