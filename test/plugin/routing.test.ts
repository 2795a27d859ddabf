/**
 * The plugin's way of a request: to the daemon with the key of the handshake, whatever OpenCode shows and wherever it points; nowhere else,
 * and to nobody when there is no daemon.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import plugin from "../../src/plugin/opencode.ts";
import { type FakeDaemon, openFakeDaemon } from "../support/fake-daemon.ts";

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await openFakeDaemon();
});
afterEach(() => daemon[Symbol.asyncDispose]());

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
type Config = Record<string, unknown> & {
  provider?: { openai?: { options?: Record<string, unknown>; [name: string]: unknown } };
};

/** What a person's own login would look like; nothing of it may come to Rotor. */
const OWN = { authorization: `Bearer ${"own".repeat(20)}`, "chatgpt-account-id": "their-workspace", cookie: "a=b" };
const POST = { method: "POST", headers: { ...OWN, "x-session-id": "ses_1" }, body: '{"model":"gpt-5.5"}' };

async function loaded(options: object = {}, config: Config = {}) {
  const hooks = await plugin.server({ directory: daemon.home }, { home: daemon.home, start: false, ...options });
  await hooks.config(config);
  const openai = config.provider!.openai!;
  return { hooks, config, openai, routed: openai.options!.fetch as Fetch };
}

const handshakes = () => daemon.calls.filter(({ method }) => method === "ClientService/GetClientHandshake");

describe("with a daemon", () => {
  test("a request goes to it, with its key and without anything of the person's", async () => {
    const { routed } = await loaded();
    const answer = await routed("http://127.0.0.1:1/v1/responses?a=1", POST);
    expect([answer.status, await answer.text()]).toEqual([200, '{"served":true}']);
    const [seen] = daemon.requests;
    expect(seen).toMatchObject({ method: "POST", path: "/v1/responses?a=1", body: POST.body });
    expect(seen!.headers.authorization).toBe(`Bearer ${daemon.key}`);
    expect(seen!.headers["x-session-id"]).toBe("ses_1");
    expect(JSON.stringify(seen)).not.toContain("ownown");
    expect(seen!.headers["chatgpt-account-id"]).toBeUndefined();
    expect(seen!.headers.cookie).toBeUndefined();
  });

  test.each([["https://api.openai.com/v1/responses"], ["https://chatgpt.com/backend-api/codex/responses"]])(
    "%s is Rotor's to answer",
    async (url) => {
      const { routed } = await loaded();
      expect((await routed(url, POST)).status).toBe(200);
      expect(daemon.requests.map(({ path }) => path)).toEqual(["/v1/responses"]);
    },
  );

  test("a Request is taken for what it is, body and all", async () => {
    const { routed } = await loaded();
    await routed(new Request("http://127.0.0.1:1/v1/responses", POST));
    expect(daemon.requests[0]).toMatchObject({ method: "POST", body: POST.body });
    expect(daemon.requests[0]!.headers.authorization).toBe(`Bearer ${daemon.key}`);
  });

  test("what is not for OpenAI goes where it was going, as it was, and Rotor's key is not in it", async () => {
    const seen: unknown[][] = [];
    const others = async (...asked: unknown[]) => {
      seen.push(asked);
      return new Response("theirs");
    };
    const { routed } = await loaded({}, { provider: { openai: { options: { fetch: others } } } });
    const answer = await routed("https://models.example.org/v1/responses", POST);
    expect(await answer.text()).toBe("theirs");
    expect(seen).toEqual([["https://models.example.org/v1/responses", POST]]);
    expect(daemon.requests).toEqual([]);
  });

  test("the key is in no option, which any program on this machine may read from OpenCode", async () => {
    const { config } = await loaded();
    expect(JSON.stringify(config)).not.toContain(daemon.key.slice(15));
  });

  test("one handshake is enough for many requests, and says who is there", async () => {
    const { routed } = await loaded({ profile: "work" });
    const before = handshakes().length;
    await Promise.all(Array.from({ length: 5 }, () => routed("http://127.0.0.1:1/v1/responses", POST)));
    expect(handshakes()).toHaveLength(before);
    expect(handshakes()[0]!.body).toMatchObject({ client: "opencode", directory: daemon.home, profile: "work" });
    expect(handshakes()[0]!.body.projectKey).toMatch(/^rotor-plugin-.*-[0-9a-f]{12}$/);
  });

  test("a refusal of the daemon is the answer, as it came", async () => {
    const { routed } = await loaded();
    daemon.reply = () => ({ status: 429, headers: { "retry-after": "7" }, body: "full" });
    const answer = await routed("http://127.0.0.1:1/v1/responses", POST);
    expect([answer.status, answer.headers.get("retry-after"), await answer.text()]).toEqual([429, "7", "full"]);
    expect(daemon.requests).toHaveLength(1);
  });

  test("a request that is called off stays called off", async () => {
    const { routed } = await loaded();
    const gone = AbortSignal.abort(new Error("enough"));
    await expect(routed("http://127.0.0.1:1/v1/responses", { ...POST, signal: gone })).rejects.toThrow();
    expect(daemon.requests).toEqual([]);
  });
});

describe("a daemon that is another one", () => {
  test("on another port, without memory of the key: the next request is served, under the same key", async () => {
    const { routed } = await loaded();
    await routed("http://127.0.0.1:1/v1/responses", POST);
    const first = daemon.requests[0]!.headers.authorization;
    await daemon.stop();
    await daemon.start();
    daemon.requests.length = 0;
    expect((await routed("http://127.0.0.1:1/v1/responses", POST)).status).toBe(200);
    expect(daemon.requests).toHaveLength(1);
    expect(daemon.requests[0]!.headers.authorization).toBe(first);
    expect(handshakes().at(-1)!.body.key).toBe(first!.slice("Bearer ".length));
  });

  test("a key that it does not know is shown again, once", async () => {
    const { routed } = await loaded();
    daemon.reply = () => ({ status: 401, body: "{}" });
    const before = handshakes().length;
    expect((await routed("http://127.0.0.1:1/v1/responses", POST)).status).toBe(401);
    expect(daemon.requests).toHaveLength(2);
    expect(handshakes()).toHaveLength(before + 1);
  });
});

describe("without a daemon", () => {
  test.each([[false], [true]])("a request is refused in words, once, whether it was killed: %p", async (killed) => {
    const { routed } = await loaded();
    await daemon.stop(killed);
    const answer = await routed("http://127.0.0.1:1/v1/responses", POST);
    expect(answer.status).toBe(400);
    const { error } = (await answer.json()) as { error: { message: string; code: string } };
    expect(error.code).toBe("rotor_not_reachable");
    expect(error.message).toContain("rotor up");
    // OpenCode takes these for a reason to ask again.
    expect(error.message).not.toMatch(/unavailable|try again|time[d]? ?out|overloaded|econn/i);
    expect(daemon.requests).toEqual([]);
  });

  test("loading does not throw, and requests are Rotor's all the same", async () => {
    await daemon.stop();
    const { routed, openai } = await loaded();
    expect(openai.options!.baseURL).toBe("http://127.0.0.1:1/v1");
    expect((await routed("https://api.openai.com/v1/responses", POST)).status).toBe(400);
    await daemon.start();
    expect((await routed("https://api.openai.com/v1/responses", POST)).status).toBe(200);
  });

  test("a daemon that refuses the handshake says why, and what mends it", async () => {
    const error = { code: "profile_not_found", message: "there is no profile work" };
    daemon.answers.set("ClientService/GetClientHandshake", () => ({ error }));
    const { routed } = await loaded();
    const answer = await routed("http://127.0.0.1:1/v1/responses", POST);
    const said = ((await answer.json()) as { error: { message: string } }).error.message;
    expect([answer.status, said]).toEqual([400, expect.stringContaining("there is no profile work")]);
    expect(said).toContain("rotor help");
  });
});

describe("starting the daemon", () => {
  /** A `rotor up` that does what the test says, in a shell. */
  function rotor(script: string): string {
    const file = join(daemon.home, "rotor");
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return file;
  }

  test("it is started with rotor up when it may be, and then serves", async () => {
    const note = join(daemon.home, "daemon.json");
    const kept = await Bun.file(note).text();
    rmSync(note);
    writeFileSync(join(daemon.home, "kept.json"), kept);
    const program = rotor(`echo "$@" > ${daemon.home}/asked; mv ${daemon.home}/kept.json ${note}`);
    const { routed } = await loaded({ start: true, rotor: program });
    expect((await routed("http://127.0.0.1:1/v1/responses", POST)).status).toBe(200);
    expect(await Bun.file(join(daemon.home, "asked")).text()).toBe("up\n");
  });

  test("one that cannot start is not tried for each request; its own words are told", async () => {
    await daemon.stop();
    const program = rotor(`echo x >> ${daemon.home}/tries; echo "rotor up: the disk is full" >&2; exit 1`);
    const { routed } = await loaded({ start: true, rotor: program });
    for (let n = 0; n < 3; n++) {
      const answer = await routed("http://127.0.0.1:1/v1/responses", POST);
      expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("the disk is full")]);
    }
    expect(await Bun.file(join(daemon.home, "tries")).text()).toBe("x\n");
  });

  test("a rotor that is nowhere is said", async () => {
    await daemon.stop();
    const { routed } = await loaded({ start: true, rotor: join(daemon.home, "none") });
    expect(await (await routed("http://127.0.0.1:1/v1/responses", POST)).text()).toContain("was not found");
  });
});
