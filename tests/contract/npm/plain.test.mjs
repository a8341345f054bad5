// The official client for JavaScript: what holds whatever the model says.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { toFile } from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const { CONTRACT_URL, CONTRACT_KEY, CONTRACT_MODEL: model, CONTRACT_EMBEDDER: embedder } = process.env;
const client = new OpenAI({ baseURL: `${CONTRACT_URL}/v1`, apiKey: CONTRACT_KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "Wo?" }];
const Office = z.object({ town: z.enum(["Köln", "Bonn"]) });
const office = { name: "office", parameters: z.toJSONSchema(Office) };

test("a stream adds up to the plain answer", async () => {
  const asked = { model, messages, max_tokens: 20, temperature: 0 };
  const whole = await client.chat.completions.create(asked);
  let text = "";
  let usage = null;
  const stream = await client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
});

test("a completion goes on", async () => {
  const answer = await client.completions.create({ model, prompt: "Der Antrag", max_tokens: 5 });
  assert.equal(typeof answer.choices[0].text, "string");
});

test("a form is parsed", async () => {
  const form = zodResponseFormat(Office, "office");
  const answer = await client.chat.completions.parse({ model, messages, response_format: form, temperature: 0 });
  Office.parse(answer.choices[0].message.parsed);
  const response = await client.responses.parse({ model, input: "Wo?", text: { format: zodTextFormat(Office, "office") }, temperature: 0 });
  Office.parse(response.output_parsed);
});

test("a forced call fits, streamed and plain", async () => {
  const tools = [{ type: "function", function: office }];
  // At other seeds the small model fills its context with white space.
  const asked = { model, messages, tools, tool_choice: "required", parallel_tool_calls: false, temperature: 1.5, seed: 1 };
  const whole = await client.chat.completions.create(asked);
  const [call] = whole.choices[0].message.tool_calls;
  Office.parse(JSON.parse(call.function.arguments));
  const stream = client.chat.completions.stream(asked);
  const [streamed] = (await stream.finalChatCompletion()).choices[0].message.tool_calls;
  assert.equal(streamed.function.arguments, call.function.arguments);
});

test("a response is streamed, stored and gone on from", async () => {
  const asked = { model, input: "Wo?", max_output_tokens: 12, temperature: 0 };
  const whole = await client.responses.create(asked);
  const stream = client.responses.stream(asked);
  const final = await stream.finalResponse();
  assert.equal(final.output_text, whole.output_text);
  const next = await client.responses.create({ ...asked, previous_response_id: final.id });
  assert.equal(next.previous_response_id, final.id);
  assert.equal((await client.responses.retrieve(next.id)).output_text, next.output_text);
  await client.responses.delete(next.id);
  await assert.rejects(client.responses.retrieve(next.id), OpenAI.NotFoundError);
});

test("a file is kept, named, read back and deleted", async () => {
  const letter = Buffer.from("Objet : demande\n");
  const file = await client.files.create({
    file: await toFile(letter, "lettre.txt"),
    purpose: "user_data",
    expires_after: { anchor: "created_at", seconds: 3600 },
  });
  assert.equal(file.filename, "lettre.txt");
  assert.equal(file.expires_at - file.created_at, 3600);
  assert.deepEqual(await client.files.retrieve(file.id), file);
  assert.deepEqual(Buffer.from(await (await client.files.content(file.id)).arrayBuffer()), letter);
  const ids = [];
  for await (const listed of client.files.list({ limit: 1 })) ids.push(listed.id);
  assert.ok(ids.includes(file.id));
  const content = [{ type: "file", file: { file_id: file.id } }];
  const answer = await client.chat.completions.create({ model, messages: [{ role: "user", content }], max_tokens: 1 });
  assert.equal(answer.documents[0].name, "lettre.txt");
  assert.equal((await client.files.delete(file.id)).deleted, true);
  await assert.rejects(client.files.retrieve(file.id), OpenAI.NotFoundError);
});

test("texts become vectors", async () => {
  // The client asks for base64 by itself and unpacks it.
  const { data } = await client.embeddings.create({ model: embedder, input: ["a", "b"] });
  const { data: floats } = await client.embeddings.create({ model: embedder, input: "a", encoding_format: "float" });
  assert.equal(data.length, 2);
  assert.equal(data[0].embedding.length, floats[0].embedding.length);
  assert.ok(data[0].embedding.every((x, index) => Math.abs(x - floats[0].embedding[index]) < 1e-5));
});

test("models are listed", async () => {
  const ids = [];
  for await (const listed of client.models.list()) ids.push(listed.id);
  assert.ok(ids.includes(model) && ids.includes(embedder));
});

test("errors have their class and name the field", async () => {
  const ask = (change) => client.chat.completions.create({ model, messages, ...change });
  await assert.rejects(ask({ temperature: 3 }), (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature");
  await assert.rejects(ask({ model: "unbekannt" }), (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  const stranger = client.withOptions({ apiKey: "gch_falsch" });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});
