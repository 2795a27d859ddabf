/** The Codex backend: the stream's shape, what the model says, and what the backend refuses. */
import { describe, expect, test } from "bun:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import type { JsonObject } from "../../src/simulator/json.ts";
import { type Auth, eventsOf, itemsOf, jsonOf, requestBody, startBench, textOf, typesOf } from "./support.ts";

const shellTool = (name: string, properties: JsonObject, required: string[]) => ({
  type: "function",
  name,
  description: "runs",
  strict: false,
  parameters: { type: "object", properties, required },
});
const execCommand = shellTool("exec_command", { cmd: { type: "string" } }, ["cmd"]);

describe("the stream", () => {
  test("has the events of the wire reference, in order, numbered", async () => {
    await using bench = await startBench();
    const response = await bench.ask("hello there", { reasoning: { effort: "medium", summary: "auto" } });
    const text = await response.text();
    const types = typesOf(text);
    expect(types.filter((type) => type !== "response.output_text.delta")).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.reasoning_summary_part.added",
      "response.reasoning_summary_text.delta",
      "response.reasoning_summary_text.done",
      "response.reasoning_summary_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(eventsOf(text).map((event) => event.sequence_number)).toEqual(types.map((_, index) => index));
    expect(textOf(text)).toBe("SIM alpha says: hello there");
    const blocks = text.trimEnd().split("\n\n");
    for (const [index, block] of blocks.entries())
      expect(block).toMatch(new RegExp(`^event: ${types[index]!.replaceAll(".", "\\.")}\ndata: \\{.*\\}$`));
    expect(text).toEndWith("\n\n");
  });

  test("ends with the whole response and its usage", async () => {
    await using bench = await startBench();
    const events = eventsOf(await (await bench.ask("hi")).text());
    const done = events.at(-1)!.response as JsonObject;
    const output = done.output as JsonObject[];
    expect(done).toMatchObject({
      object: "response",
      status: "completed",
      model: "gpt-5.5",
      store: false,
      error: null,
    });
    expect(output.map((item) => item.type)).toEqual(["reasoning", "message"]);
    const usage = done.usage as JsonObject;
    expect(usage.total_tokens).toBe(Number(usage.input_tokens) + Number(usage.output_tokens));
    expect(usage.output_tokens_details).toEqual({ reasoning_tokens: 20 });
    expect((events[0]!.response as JsonObject).id).toBe(done.id);
  });

  test("carries the headers of the wire reference and names the account", async () => {
    await using bench = await startBench();
    const { headers } = await bench.ask("hi");
    expect(headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(headers.get("openai-model")).toBe("gpt-5.5");
    for (const name of ["x-request-id", "cf-ray", "x-codex-turn-state", "x-models-etag", "x-codex-plan-type"])
      expect(headers.get(name)).toBeTruthy();
    expect(headers.get("x-codex-primary-window-minutes")).toBe("300");
    expect(headers.get("x-codex-secondary-window-minutes")).toBe("10080");
    expect(headers.get("x-models-etag")).toBe((await bench.get("/codex/models")).headers.get("etag"));
  });

  test("keeps its own turn state and replaces a stranger's", async () => {
    await using bench = await startBench();
    const ask = async (state: string, index: number) => {
      const headers = { ...bench.headers(bench.auth(index)), "x-codex-turn-state": state };
      return (await bench.post("/codex/responses", requestBody("hi"), headers)).headers.get("x-codex-turn-state");
    };
    const first = (await ask("made-up", 0))!;
    expect(first).not.toBe("made-up");
    expect(await ask(first, 0)).toBe(first);
    expect(await ask(first, 1)).not.toBe(first);
  });

  test("without reasoning, with the encrypted part only when asked for", async () => {
    await using bench = await startBench();
    const types = typesOf(await (await bench.ask("hi", { reasoning: { effort: "none" } })).text());
    expect(types.some((type) => type.includes("reasoning"))).toBe(false);
    const [bare] = itemsOf(await (await bench.ask("hi", { include: [] })).text());
    expect(bare).toMatchObject({ type: "reasoning", summary: [] });
    expect(bare!.encrypted_content).toBeUndefined();
  });

  test("knows a repeated prompt by its cache key, per organisation", async () => {
    await using bench = await startBench();
    const input = [{ role: "user", content: "long ".repeat(500) }];
    const cached = async (index: number) => {
      const response = await bench.ask("", { input, prompt_cache_key: "thread" }, bench.auth(index));
      const usage = (eventsOf(await response.text()).at(-1)!.response as JsonObject).usage as JsonObject;
      return Number((usage.input_tokens_details as JsonObject).cached_tokens);
    };
    expect(await cached(0)).toBe(0);
    expect(await cached(0)).toBeGreaterThan(500);
    expect(await cached(1)).toBe(0);
  });
});

describe("tools", () => {
  test.each([
    ["Codex", execCommand, { cmd: "echo hi" }],
    [
      "older Codex",
      shellTool("shell", { command: { type: "array" } }, ["command"]),
      { command: ["bash", "-lc", "echo hi"] },
    ],
    [
      "OpenCode",
      shellTool("bash", { command: { type: "string" }, description: { type: "string" } }, ["command", "description"]),
      { command: "echo hi", description: "Runs the command" },
    ],
    [
      "any function",
      shellTool("lookup", { id: { type: "integer" }, key: { type: "string" } }, ["key", "id"]),
      { key: "echo hi", id: 1 },
    ],
  ])("the %s way of running a command is met", async (_, tool, wanted) => {
    await using bench = await startBench();
    const text = await (await bench.ask("please run: echo hi", { tools: [tool] })).text();
    const call = itemsOf(text).find((item) => item.type === "function_call")!;
    expect(call).toMatchObject({ name: tool.name, status: "completed" });
    expect(JSON.parse(String(call.arguments))).toEqual(wanted);
    const deltas = eventsOf(text).filter((event) => event.type === "response.function_call_arguments.delta");
    expect(deltas.map((event) => event.delta).join("")).toBe(String(call.arguments));
    expect(typesOf(text)).toContain("response.function_call_arguments.done");
  });

  test("a whole turn: call, output, answer", async () => {
    await using bench = await startBench();
    const tools = [execCommand];
    const first = itemsOf(await (await bench.ask('"run: echo hi"', { tools })).text());
    const call = first.find((item) => item.type === "function_call")!;
    const input = [
      ...(requestBody('"run: echo hi"').input as JsonObject[]),
      ...first,
      { type: "function_call_output", call_id: call.call_id, output: "Output:\nhi\n" },
    ];
    expect(call.arguments).toBe('{"cmd":"echo hi"}');
    const second = await bench.ask("", { tools, input });
    expect(textOf(await second.text())).toBe("SIM alpha says: the tool answered: Output:\nhi");
  });

  test("responses-lite: tools inside the input, in a namespace, freeform", async () => {
    await using bench = await startBench();
    const lite = (tools: unknown[]) => ({
      model: "gpt-6.1-sol",
      instructions: undefined,
      input: [
        { type: "additional_tools", role: "developer", tools: [{ type: "namespace", name: "functions", tools }] },
        ...(requestBody("run: ls -l").input as JsonObject[]),
        { type: "configuration_update", reasoning: { effort: "low" } },
      ],
    });
    const [call] = itemsOf(await (await bench.ask("", lite([execCommand]))).text()).slice(-1);
    expect(call).toMatchObject({ type: "function_call", namespace: "functions", arguments: '{"cmd":"ls -l"}' });
    const custom = { type: "custom", name: "exec", format: { type: "grammar" } };
    const text = await (await bench.ask("", lite([custom]))).text();
    expect(itemsOf(text).at(-1)).toMatchObject({ type: "custom_tool_call", name: "exec" });
    expect(String(itemsOf(text).at(-1)!.input)).toContain('"ls -l"');
    expect(typesOf(text)).toContain("response.custom_tool_call_input.done");
  });

  test("lines order an answer word for word: texts, refusals, calls", async () => {
    await using bench = await startBench();
    const order = 'say: one\\ntwo\nrefuse: no way\ncall: exec_command {"cmd":1}\ncall: nowhere {}\ncall: exec_command';
    const said = async (more: JsonObject) =>
      itemsOf(await (await bench.ask(order, { tools: [execCommand], ...more })).text());
    const items = await said({ reasoning: { effort: "none" } });
    expect(items.map((item) => item.type)).toEqual(["message", "message", "function_call", "function_call"]);
    expect(items[0]).toMatchObject({ content: [{ type: "output_text", text: "one\ntwo" }] });
    expect(items[1]).toMatchObject({ content: [{ type: "refusal", refusal: "no way" }] });
    expect(items.slice(2).map((item) => item.arguments)).toEqual(['{"cmd":1}', "{}"]);
    const one = await said({ reasoning: { effort: "none" }, parallel_tool_calls: false });
    expect(one.filter((item) => item.type === "function_call")).toHaveLength(1);
    const none = await said({ reasoning: { effort: "none" }, tool_choice: "none" });
    expect(none.map((item) => item.type)).toEqual(["message", "message"]);
  });

  test("no tool, or tool_choice none: it just says so", async () => {
    await using bench = await startBench();
    expect(textOf(await (await bench.ask("run: ls")).text())).toBe("SIM alpha says: run: ls");
    const refused = await bench.ask("run: ls", { tools: [execCommand], tool_choice: "none" });
    expect(textOf(await refused.text())).toBe("SIM alpha says: run: ls");
  });
});

describe("special answers", () => {
  test("a title request gets JSON for its schema", async () => {
    await using bench = await startBench();
    const schema = {
      type: "object",
      properties: { title: { type: "string", maxLength: 36 }, tags: { type: "array" }, kind: { enum: ["a", "b"] } },
      required: ["title", "tags", "kind"],
    };
    const text = await (
      await bench.ask("say hi", { text: { format: { type: "json_schema", name: "t", strict: true, schema } } })
    ).text();
    expect(JSON.parse(textOf(text))).toEqual({ title: "SIM alpha: say hi", tags: [], kind: "a" });
  });

  test("a compaction gets one item, which this organisation alone can replay", async () => {
    await using bench = await startBench();
    const history = requestBody("hello").input as JsonObject[];
    const items = itemsOf(await (await bench.ask("", { input: [...history, { type: "compaction_trigger" }] })).text());
    expect(items.map((item) => item.type)).toEqual(["compaction"]);
    const input = [...history, items[0]!, ...(requestBody("go on").input as JsonObject[])];
    expect((await bench.ask("", { input })).status).toBe(200);
    expect((await bench.ask("", { input }, bench.auth(1))).status).toBe(400);
  });

  test("the older compaction endpoint answers in JSON", async () => {
    await using bench = await startBench();
    const body = { model: "gpt-5.5", instructions: "", input: requestBody("hello").input };
    const answer = await jsonOf(await bench.post("/codex/responses/compact", body));
    expect((answer.output as JsonObject[]).map((item) => item.type)).toEqual(["message", "compaction"]);
  });

  test("encrypted reasoning is refused by another organisation, and when it was changed", async () => {
    await using bench = await startBench();
    const [reasoning] = itemsOf(await (await bench.ask("hello")).text());
    const input = [
      ...(requestBody("hello").input as JsonObject[]),
      reasoning!,
      ...(requestBody("more").input as JsonObject[]),
    ];
    expect((await bench.ask("", { input })).status).toBe(200);
    const foreign = await bench.ask("", { input }, bench.auth(1));
    expect(foreign.status).toBe(400);
    expect(((await jsonOf(foreign)).error as JsonObject).code).toBe("invalid_encrypted_content");
    const broken = input.map((item) => (item === reasoning ? { ...item, encrypted_content: "gAAAAABother" } : item));
    expect((await bench.ask("", { input: broken })).status).toBe(400);
  });
});

describe("the backend refuses", () => {
  const user = { role: "user", content: "hi" };
  const cases: [string, JsonObject, number, string][] = [
    ["stream false", { stream: false }, 400, "Stream must be set to true"],
    ["stream absent", { stream: undefined }, 400, "Stream must be set to true"],
    ["store absent", { store: undefined }, 400, "Store must be set to false"],
    ["store true", { store: true }, 400, "Store must be set to false"],
    ["a text as input", { input: "hi" }, 400, "Input must be a list"],
    ["a system message", { input: [{ role: "system", content: "x" }, user] }, 400, "System messages are not allowed"],
    ["no instructions and no developer message", { instructions: undefined }, 400, "Instructions are required"],
    [
      "a model that nobody has",
      { model: "gpt-x" },
      400,
      "The 'gpt-x' model is not supported when using Codex with a ChatGPT account.",
    ],
    ["an output limit", { max_output_tokens: 10 }, 400, "Unsupported parameter: max_output_tokens"],
    ["a temperature", { temperature: 1 }, 400, "Unsupported parameter: temperature"],
    ["a previous response", { previous_response_id: "resp_1" }, 400, "Unsupported parameter: previous_response_id"],
    ["an unknown effort", { reasoning: { effort: "minimal" } }, 400, "Unsupported value: 'minimal'"],
    ["an effort above the model's", { reasoning: { effort: "max" } }, 400, "'xhigh'"],
    ["an unknown include", { include: ["everything"] }, 400, "Invalid value: 'everything'"],
    ["a hosted tool", { tools: [{ type: "file_search" }] }, 400, "Unsupported tool type: file_search"],
    ["a tool name with a blank", { tools: [shellTool("a b", {}, [])] }, 400, "does not match"],
    ["an item reference", { input: [{ type: "item_reference", id: "rs_1" }, user] }, 404, "Items are not persisted"],
    [
      "unsaved reasoning",
      { input: [{ type: "reasoning", id: "rs_1", summary: [] }, user] },
      404,
      "Item with id 'rs_1' not found",
    ],
    [
      "an output without its call",
      { input: [user, { type: "function_call_output", call_id: "call_1", output: "x" }] },
      400,
      "No tool call found for function call output with call_id call_1.",
    ],
    [
      "a call without its output",
      { input: [user, { type: "function_call", call_id: "call_1", name: "x", arguments: "{}" }] },
      400,
      "No tool output found for function call call_1.",
    ],
  ];
  test.each(cases)("%s", async (_, change, status, words) => {
    await using bench = await startBench();
    const response = await bench.ask("hi", change);
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(words);
    expect(bench.sim.account("alpha").buckets[0]!.windows[0]!.used).toBe(0);
  });

  test("nothing of what Codex 0.169 sends: no instructions, a developer message first", async () => {
    await using bench = await startBench();
    const input = [{ type: "message", role: "developer", content: [{ type: "input_text", text: "be good" }] }, user];
    expect((await bench.ask("", { input, instructions: undefined })).status).toBe(200);
  });

  test("a plan's missing model, until the account has it", async () => {
    await using bench = await startBench({ accounts: [{ plan: "free" }] });
    expect((await bench.ask("hi", { model: "gpt-6-astra" })).status).toBe(400);
    bench.sim.changeAccount("alpha", { models: ["gpt-6-astra"] });
    expect((await bench.ask("hi", { model: "gpt-6-astra" })).status).toBe(200);
    expect((await bench.ask("hi")).status).toBe(400);
  });

  test("callers it does not know, and an account id that is not the token's", async () => {
    await using bench = await startBench();
    const post = (headers: Record<string, string>) => bench.post("/codex/responses", requestBody("hi"), headers);
    expect((await post({})).status).toBe(401);
    expect((await post({ authorization: "Bearer nonsense" })).status).toBe(401);
    const mixed = { ...bench.headers(), "chatgpt-account-id": bench.auth(1).tokens.account_id };
    expect((await post(mixed)).status).toBe(401);
    expect((await post({ ...bench.headers(), authorization: `Bearer ${bench.auth().tokens.id_token}` })).status).toBe(
      401,
    );
  });

  test("a deactivated workspace with 402, everywhere", async () => {
    await using bench = await startBench({ accounts: [{ plan: "team", deactivated: true }] });
    for (const response of [await bench.ask("hi"), await bench.get("/wham/usage")]) {
      expect(response.status).toBe(402);
      expect(await jsonOf(response)).toEqual({ detail: { code: "deactivated_workspace" } });
    }
  });
});

describe("request encodings", () => {
  const encoders: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["deflate", deflateRawSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
  ];
  test.each(encoders)("%s is read, and recorded decoded", async (name, encode) => {
    await using bench = await startBench();
    const body = encode(Buffer.from(JSON.stringify(requestBody("squeezed"))));
    const headers = { ...bench.headers(), "content-encoding": name };
    const response = await fetch(`${bench.sim.url}/codex/responses`, { method: "POST", headers, body });
    expect(textOf(await response.text())).toBe("SIM alpha says: squeezed");
    const [record] = bench.sim.requests();
    expect(record!.bodyBytes).toBe(body.length);
    expect(record!.bodySha256).toBe(new Bun.CryptoHasher("sha256").update(body).digest("hex"));
    expect(record!.body).toEqual(JSON.parse(JSON.stringify(requestBody("squeezed"))));
  });

  test("unknown and broken ones are refused", async () => {
    await using bench = await startBench();
    const post = (name: string) =>
      bench.post("/codex/responses", requestBody("x"), { ...bench.headers(), "content-encoding": name });
    expect((await post("compress")).status).toBe(415);
    expect((await post("zstd")).status).toBe(400);
  });
});

describe("account calls", () => {
  test.each([
    "/wham/settings/user",
    "/wham/config/bundle",
    "/wham/security-setup",
    "/wham/profiles/me",
    "/wham/workspace-messages",
  ])("%s answers JSON to the account and 401 to strangers", async (path) => {
    await using bench = await startBench();
    const response = await bench.get(path);
    expect(response.status).toBe(200);
    expect(typeof (await response.json())).toBe("object");
    expect((await fetch(`${bench.sim.url}${path}`)).status).toBe(401);
  });

  test("the catalogue goes with the plan, and is not sent again to who has it", async () => {
    await using bench = await startBench({ accounts: [{ plan: "pro" }, { plan: "free" }] });
    const slugs = async (index: number) => {
      const { models } = (await jsonOf(await bench.get("/codex/models", bench.auth(index)))) as {
        models: JsonObject[];
      };
      return models.map(({ slug }) => slug);
    };
    expect(await slugs(0)).toContain("gpt-6-astra");
    expect(await slugs(1)).not.toContain("gpt-6-astra");
    const etag = (await bench.get("/codex/models")).headers.get("etag")!;
    const ask = (auth: Auth) =>
      fetch(`${bench.sim.url}/codex/models`, { headers: { ...bench.headers(auth), "if-none-match": etag } });
    const same = await ask(bench.auth(0));
    expect([same.status, await same.text()]).toEqual([304, ""]);
    expect((await ask(bench.auth(1))).status).toBe(200);
    bench.fault({ at: "models", kind: "html_instead_of_json", times: 1 });
    expect(await (await ask(bench.auth(0))).text()).toContain("<html");
  });

  test("the catalogue has the shape that Codex reads", async () => {
    await using bench = await startBench();
    const { models } = (await jsonOf(await bench.get("/codex/models?client_version=0.169.0"))) as {
      models: JsonObject[];
    };
    const plain = models.find((model) => model.slug === "gpt-5.5")!;
    expect(plain).toMatchObject({
      use_responses_lite: false,
      context_window: 272_000,
      visibility: "list",
      default_reasoning_level: "medium",
    });
    expect((plain.supported_reasoning_levels as JsonObject[]).map((level) => level.effort)).toEqual([
      "low",
      "medium",
      "high",
      "xhigh",
    ]);
    expect(models.find((model) => model.slug === "gpt-6.1-sol")).toMatchObject({
      use_responses_lite: true,
      max_context_window: 872_000,
    });
    expect(models.find((model) => model.slug === "codex-auto-review")).toMatchObject({ visibility: "hide" });
  });

  test("accounts/check lists the account with an https origin", async () => {
    await using bench = await startBench();
    const check = (await jsonOf(await bench.get("/wham/accounts/check"))) as {
      accounts: JsonObject[];
      default_account_id: string;
    };
    expect(check.accounts).toHaveLength(1);
    expect(check.accounts[0]).toMatchObject({
      id: bench.auth().tokens.account_id,
      plan_type: "plus",
      workspace_backend_origin: "https://chatgpt.com",
    });
    expect(check.default_account_id).toBe(bench.auth().tokens.account_id);
  });

  test("anything else is a JSON 404", async () => {
    await using bench = await startBench();
    const missing = await bench.get("/wham/nothing");
    expect(missing.status).toBe(404);
    expect(await jsonOf(missing)).toEqual({ detail: "Not Found" });
    expect((await fetch(`${bench.sim.url}/codex/responses`, { method: "HEAD" })).status).toBe(404);
  });

  test("the usage path of a base without /backend-api works too", async () => {
    await using bench = await startBench();
    const response = await fetch(`${bench.sim.issuer}/api/codex/usage`, { headers: bench.headers() });
    expect((await jsonOf(response)).plan_type).toBe("plus");
  });
});
