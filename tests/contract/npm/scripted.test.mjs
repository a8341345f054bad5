// The official client for JavaScript with a model whose every word is known
// (scripted/script.toml, scripted/busy.toml).

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const { CONTRACT_URL, CONTRACT_KEY, CONTRACT_MODEL: model, CONTRACT_BUSY_URL, CONTRACT_BUSY_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CONTRACT_URL}/v1`, apiKey: CONTRACT_KEY, maxRetries: 0 });
const SAID = "Das Rathaus steht am Markt. À côté de l'église 🏛️.";
const Weather = z.object({ city: z.string(), days: z.number().int().min(1).max(7) });
const inKoeln = { city: "Köln", days: 2 };
const inZuerich = { city: "Zürich", days: 1 };
const weather = { type: "function", function: { name: "weather", parameters: z.toJSONSchema(Weather) } };
const about = (content) => [{ role: "user", content }];

test("an answer is what was said, plain and streamed", async () => {
  const asked = { model, messages: about("Wo ist das Rathaus?") };
  const whole = await client.chat.completions.create(asked);
  assert.equal(whole.choices[0].message.content, SAID);
  const stream = client.chat.completions.stream(asked);
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  assert.equal(text, SAID);
  assert.equal((await stream.finalChatCompletion()).choices[0].finish_reason, "stop");
});

test("a form is parsed and one that was cut off is not", async () => {
  const Urgency = z.object({ urgent: z.boolean(), reason: z.string() });
  const asked = { model, messages: about("Wie dringend?"), response_format: zodResponseFormat(Urgency, "urgency") };
  const answer = await client.chat.completions.parse(asked);
  assert.deepEqual(answer.choices[0].message.parsed, { urgent: true, reason: "Die Frist läuft am Montag ab." });
  await assert.rejects(client.chat.completions.parse({ ...asked, max_tokens: 12 }), OpenAI.LengthFinishReasonError);
});

test("calls come beside text, in parallel, streamed and plain", async () => {
  const asked = { model, messages: about("Wetter in zwei Städten"), tools: [weather] };
  const { message, finish_reason } = (await client.chat.completions.create(asked)).choices[0];
  const args = (calls) => calls.map((call) => JSON.parse(call.function.arguments));
  assert.deepEqual(args(message.tool_calls), [inKoeln, inZuerich]);
  assert.equal(message.content, "Ich sehe nach.");
  assert.equal(finish_reason, "tool_calls");
  let deltas = 0;
  const stream = client.chat.completions.stream(asked).on("tool_calls.function.arguments.delta", () => (deltas += 1));
  const streamed = (await stream.finalChatCompletion()).choices[0].message;
  assert.deepEqual(args(streamed.tool_calls), [inKoeln, inZuerich]);
  assert.equal(streamed.content, message.content);
  assert.ok(deltas > 10);
});

test("the client runs strict functions until there is an answer", async () => {
  const asked = [];
  const tool = zodFunction({ name: "weather", parameters: Weather, function: (given) => (asked.push(given), "17 Grad") });
  const runner = client.chat.completions.runTools({ model, messages: about("Wetter in Köln"), tools: [tool] });
  assert.equal(await runner.finalContent(), "In Köln sind es 17 Grad.");
  assert.deepEqual(asked, [inKoeln]);
});

test("what was parsed of an answer is sent back with it", async () => {
  const asked = { model, messages: about("Wetter in Köln"), tools: [zodFunction({ name: "weather", parameters: Weather })] };
  const { message } = (await client.chat.completions.parse(asked)).choices[0];
  const [call] = message.tool_calls;
  assert.deepEqual(call.function.parsed_arguments, inKoeln);
  const messages = [...asked.messages, message, { role: "tool", tool_call_id: call.id, content: "17 Grad" }];
  const answer = await client.chat.completions.parse({ ...asked, messages });
  assert.equal(answer.choices[0].message.content, "In Köln sind es 17 Grad.");
});

test("a response calls and goes on", async () => {
  const tools = [{ type: "function", name: "weather", parameters: z.toJSONSchema(Weather), strict: true }];
  const stream = client.responses.stream({ model, input: "Wetter in Köln", tools });
  const [call] = (await stream.finalResponse()).output;
  assert.deepEqual(JSON.parse(call.arguments), inKoeln);
  const result = { type: "function_call_output", call_id: call.call_id, output: "17 Grad" };
  const items = [{ role: "user", content: "Wetter in Köln" }, call, result];
  const answer = await client.responses.create({ model, input: items, tools });
  assert.equal(answer.output_text, "In Köln sind es 17 Grad.");
});

test("what was thought is an item of its own", async () => {
  const { output, usage } = await client.responses.create({ model, input: "Denk nach" });
  assert.deepEqual(output.map((item) => item.type), ["reasoning", "message"]);
  assert.ok(usage.output_tokens_details.reasoning_tokens > 0);
});

test("a failure is raised, plain and from a stream, and the next request is answered", async () => {
  const asked = { model, messages: about(`${randomUUID()}: Brich ab`) };
  await assert.rejects(client.chat.completions.create(asked), OpenAI.InternalServerError);
  const patient = client.withOptions({ maxRetries: 5 });
  await assert.rejects(async () => {
    for await (const _ of await patient.chat.completions.create({ ...asked, stream: true }));
  }, OpenAI.APIError);
  const next = await patient.chat.completions.create({ model, messages: about("Wo ist das Rathaus?") });
  assert.equal(next.choices[0].message.content, SAID);
});

test("a full queue is waited for, and what is the caller's fault is not", async () => {
  let sent = 0;
  const counting = (url, init) => ((sent += 1), fetch(url, init));
  const busy = new OpenAI({ baseURL: `${CONTRACT_BUSY_URL}/v1`, apiKey: CONTRACT_BUSY_KEY, maxRetries: 0 });
  const patient = busy.withOptions({ maxRetries: 6, fetch: counting });
  const asked = { model, messages: about("Wie lange noch?") };
  const all = [0, 1, 2, 3].map(() => busy.chat.completions.create(asked));
  const ends = await Promise.allSettled(all);
  const refused = ends.filter((end) => end.status === "rejected").map((end) => end.reason);
  assert.ok(refused.length > 0 && refused.length < 4, `${refused.length} of 4 were refused`);
  for (const error of refused) {
    assert.equal(error.status, 503);
    assert.ok(Number(error.headers.get("retry-after")) >= 1);
  }
  const two = [0, 1, 2].map(() => patient.chat.completions.create({ ...asked, max_tokens: 20 }));
  await Promise.all(two);
  assert.ok(sent > 3, `${sent} requests were sent`);
  sent = 0;
  await assert.rejects(patient.chat.completions.create({ ...asked, temperature: 3 }), OpenAI.BadRequestError);
  assert.equal(sent, 1);
});
