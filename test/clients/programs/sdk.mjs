// What a program does with the openai package, run by Node and by Bun alike: each step prints one line of JSON for the test to read.
// The client is built from the environment alone, as `rotor connect shell` sets it.
import OpenAI from "openai";

const steps = {
  async whole(client) {
    const response = await client.responses.create({ model: "gpt-5.5", input: "say hello" });
    return { text: response.output_text, status: response.status, total: response.usage.total_tokens };
  },

  async stream(client) {
    const types = [];
    let text = "";
    const stream = await client.responses.create({ model: "gpt-5.5", input: "say hello", stream: true });
    for await (const event of stream) {
      types.push(event.type);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    return { text, first: types[0], last: types.at(-1) };
  },

  // The SDK's own accumulator checks the order of events and puts the whole response together again.
  async accumulated(client) {
    const runner = client.responses.stream({ model: "gpt-5.5", instructions: "be brief", input: "say hello" });
    const response = await runner.finalResponse();
    return { text: response.output_text, status: response.status };
  },

  async tool(client) {
    const tools = [
      {
        type: "function",
        name: "shell",
        parameters: { type: "object", properties: { cmd: { type: "string" } }, required: ["cmd"], additionalProperties: false },
        strict: true,
      },
    ];
    const input = [{ role: "user", content: "run: echo hi" }];
    const asked = await client.responses.create({ model: "gpt-5.5", input, tools });
    const call = asked.output.find((item) => item.type === "function_call");
    input.push(...asked.output, { type: "function_call_output", call_id: call.call_id, output: "hi from the tool" });
    const done = await client.responses.create({ model: "gpt-5.5", input, tools });
    return { name: call.name, arguments: call.arguments, text: done.output_text };
  },

  async parsed(client) {
    const schema = { type: "object", properties: { answer: { type: "string" } }, required: ["answer"], additionalProperties: false };
    const response = await client.responses.parse({
      model: "gpt-5.5",
      input: "say hello",
      text: { format: { type: "json_schema", name: "reply", strict: true, schema } },
    });
    return { keys: Object.keys(response.output_parsed ?? JSON.parse(response.output_text)) };
  },

  async models(client) {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return { ids };
  },

  // An alias of the operator's, and a model with an effort at its end.
  async otherNames(client) {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    const { id } = await client.models.retrieve("quick");
    const texts = [];
    for (const model of ["quick", "gpt-5.5-high"]) {
      texts.push((await client.responses.create({ model, input: "say hello" })).output_text);
    }
    const unknown = await failure(client.models.retrieve("no-such-model"));
    return { ids, id, texts, unknown };
  },

  async wrongKey() {
    const stranger = new OpenAI({ apiKey: "rtr_0000000000_wrong" });
    return failure(stranger.responses.create({ model: "gpt-5.5", input: "say hello" }));
  },

  async unknownModel(client) {
    return failure(client.responses.create({ model: "no-such-model", input: "say hello" }));
  },

  // Without its own retries, so that the test sees one answer.
  async refused(client) {
    return failure(client.responses.create({ model: "gpt-5.5", input: "say hello" }, { maxRetries: 0 }));
  },

  async refusedStream(client) {
    return failure(client.responses.create({ model: "gpt-5.5", input: "say hello", stream: true }, { maxRetries: 0 }));
  },

  async background(client) {
    const input = "say hello";
    let response = await client.responses.create({ model: "gpt-5.5", input, background: true, store: true });
    const first = response.status;
    while (response.status === "queued" || response.status === "in_progress") {
      response = await client.responses.retrieve(response.id);
    }
    const types = [];
    for await (const event of await client.responses.retrieve(response.id, { stream: true, starting_after: 1 })) {
      types.push(event.type);
    }
    const canceled = await client.responses.cancel(response.id);
    await client.responses.delete(response.id);
    const gone = await failure(client.responses.retrieve(response.id));
    const { status, output_text: text } = response;
    return { first, status, text, last: types.at(-1), canceled: canceled.status, gone };
  },

  // Canceled while upstream says nothing.
  async canceled(client) {
    const { id } = await client.responses.create({ model: "gpt-5.5", input: "hi", background: true, store: true });
    const { status } = await client.responses.cancel(id);
    return { status, later: (await client.responses.retrieve(id)).status };
  },

  async backgroundOff(client) {
    return failure(client.responses.create({ model: "gpt-5.5", input: "hi", background: true, store: true }));
  },

  async aborted(client) {
    const stream = await client.responses.create({ model: "gpt-5.5", input: "say hello", stream: true });
    for await (const event of stream) if (event.type === "response.output_text.delta") break;
    return { left: true };
  },
};

async function failure(promise) {
  try {
    await promise;
    return { failed: false };
  } catch (error) {
    const { status, code, type, message } = error;
    const retryAfter = error.headers?.get("retry-after") ?? null;
    return { failed: true, name: error.constructor.name, status, code, type, message, retryAfter };
  }
}

const client = new OpenAI();
for (const name of process.argv.slice(2)) {
  console.log(JSON.stringify({ step: name, ...(await steps[name](client)) }));
}
