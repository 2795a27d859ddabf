/**
 * curl through Rotor: what travels byte by byte. Streams as they come, bodies in every encoding, the doors that need no key, and a
 * client that hangs up.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { listExchanges, nextAccount, showExchange, triesOf } from "./exchanges.ts";
import { ACCOUNTS, inWorld, type World } from "./harness.ts";
import { headerOf, storyOf } from "./upstream.ts";

setDefaultTimeout(60_000);

const ENCODERS = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
} as const;

/** What Codex would send; upstream takes it as it is. */
const CODEX_BODY = {
  model: "gpt-5.5",
  instructions: "",
  input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "say hello" }] }],
  stream: true,
  store: false,
};

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** The key stands in a file, as it should on a shared machine: arguments can be read by everybody. */
function withKey(world: World): string[] {
  return ["-H", `@${world.write("key.txt", `authorization: Bearer ${world.key}`)}`];
}

async function curl(world: World, path: string, ...args: string[]): Promise<Answer> {
  const file = join(world.home, "head.txt");
  const run = await world.run(["curl", "-sS", "-D", file, ...args, `${world.proxyUrl}${path}`]);
  expect(run.err).toBe("");
  expect(run.exit).toBe(0);
  const [first, ...lines] = readFileSync(file, "latin1").trimEnd().split("\r\n");
  const headers = new Headers(
    lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
  return { status: Number(first!.split(" ")[1]), headers, body: run.out };
}

function post(world: World, path: string, body: unknown, ...args: string[]): Promise<Answer> {
  const file = world.write("body.json", JSON.stringify(body));
  return curl(
    world,
    path,
    ...withKey(world),
    "-H",
    "content-type: application/json",
    "--data-binary",
    `@${file}`,
    ...args,
  );
}

function eventsIn(text: string): string[] {
  return [...text.matchAll(/^event: (.+)$/gm)].map((match) => match[1]!);
}

describe("curl", () => {
  test("one clean stream, though the first account is out and the second says so only inside a 200", async () => {
    await inWorld(async (world) => {
      const first = await nextAccount(world);
      await world.upstream.exhaust(first);
      await world.upstream.fault({ at: "responses", kind: "failed_usage_limit" });
      const answer = await post(world, "/v1/responses", { model: "gpt-5.5", input: "say hello", stream: true });
      const seen = await world.upstream.responses();
      const last = seen.at(-1)!.account!;
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toStartWith("text/event-stream");
      expect(answer.headers.get("content-encoding")).toBeNull();
      expect(answer.body).toContain(`SIM ${last} says: say hello`);
      const events = eventsIn(answer.body);
      expect(events.filter((event) => event === "response.created")).toHaveLength(1);
      expect(events.at(-1)).toBe("response.completed");
      expect(events).not.toContain("response.failed");
      expect(storyOf(seen)).toBe(`${first} 429, ${seen[1]!.account} 200, ${last} 200`);
      const exchange = await showExchange(world, answer.headers.get("x-rotor-exchange")!);
      expect(triesOf(exchange)).toBe(
        `${first} window_exhausted next, ${seen[1]!.account} window_exhausted next, ${last} served done`,
      );
      expect(exchange.plan!.held.map((account) => account.alias).sort()).toEqual(
        ACCOUNTS.filter((alias) => alias !== last).sort(),
      );
    });
  });

  test("a stream comes as it is made, not at its end", async () => {
    await inWorld(async (world) => {
      await world.upstream.pace({ deltas: 2_000, delayMs: 5 });
      const file = world.write("body.json", JSON.stringify(CODEX_BODY));
      const url = `${world.proxyUrl}/backend-api/codex/responses`;
      const started = world.start(["curl", "-sSN", ...withKey(world), "--data-binary", `@${file}`, url]);
      await started.prints(/response\.output_text\.delta/);
      const open = (await world.upstream.responses())[0]!;
      expect(open.end).toBe("open");
      expect(open.eventsSent).toBeLessThan(1_000);
      // Hanging up here ends it there.
      await started.stop();
      const [left] = await world.upstream.settled();
      expect(left!.end).toBe("client_closed");
      expect(left!.eventsSent).toBeLessThan(1_900);
      expect((await listExchanges(world))[0]!.attempts[0]!.outcome).toBe("client_gone");
    });
  });

  test("a whole answer where no stream was asked for", async () => {
    await inWorld(async (world) => {
      const first = await nextAccount(world);
      await world.upstream.exhaust(first);
      const answer = await post(world, "/v1/responses", { model: "gpt-5.5", input: "say hello" });
      const body = JSON.parse(answer.body);
      const second = (await world.upstream.responses())[1]!.account;
      expect(answer.headers.get("content-type")).toStartWith("application/json");
      expect(body).toMatchObject({ object: "response", status: "completed", error: null });
      const message = body.output.find((item: { type: string }) => item.type === "message");
      expect(message.content[0].text).toBe(`SIM ${second} says: say hello`);
    });
  });

  for (const [encoding, encode] of Object.entries(ENCODERS)) {
    test(`a ${encoding} body: read for an SDK, and forwarded as it came for Codex, on the second account too`, async () => {
      await inWorld(async (world) => {
        const first = await nextAccount(world);
        await world.upstream.exhaust(first);
        const headers = [
          "-H",
          "content-type: application/json",
          "-H",
          `content-encoding: ${encoding}`,
          ...withKey(world),
        ];
        const send = (path: string, body: unknown) => {
          const packed = encode(Buffer.from(JSON.stringify(body)));
          const file = join(world.home, "body.bin");
          writeFileSync(file, packed);
          return { packed, answer: curl(world, path, ...headers, "--data-binary", `@${file}`) };
        };
        const codex = send("/backend-api/codex/responses", CODEX_BODY);
        expect((await codex.answer).body).toContain("says: say hello");
        const seen = await world.upstream.responses();
        expect(seen.map((request) => request.status)).toEqual([429, 200]);
        for (const request of seen) {
          expect(headerOf(request, "content-encoding")).toBe(encoding);
          expect(request.bodySha256).toBe(createHash("sha256").update(codex.packed).digest("hex"));
        }
        const sdk = send("/v1/responses", { model: "gpt-5.5", input: "read me" });
        expect(JSON.parse((await sdk.answer).body).status).toBe("completed");
        expect(JSON.stringify((await world.upstream.responses()).at(-1)!.body)).toContain("read me");
      });
    });
  }

  test("what needs no key, what does, and whom it does not answer", async () => {
    await inWorld(async (world) => {
      expect(await curl(world, "/health")).toMatchObject({ status: 200, body: '{"status":"alive"}' });
      expect(await curl(world, "/ready")).toMatchObject({ status: 200, body: '{"status":"ready"}' });
      for (const path of ["/v1/responses", "/backend-api/codex/responses"])
        expect((await curl(world, path, "-I")).status).toBe(200);
      const closed = await curl(world, "/v1/models");
      expect(closed.status).toBe(401);
      expect(JSON.parse(closed.body).error.code).toBe("missing_client_key");
      expect((await curl(world, "/health", "-H", "host: rotor.example.org")).status).toBe(403);
      expect((await curl(world, "/v1/models", ...withKey(world), "-H", "origin: https://example.org")).status).toBe(
        403,
      );
      expect((await curl(world, "/rotor.v1.AccountService/ListAccounts", ...withKey(world))).status).toBe(404);
      const upgrade = ["-H", "connection: Upgrade", "-H", "upgrade: websocket", "-H", "sec-websocket-version: 13"];
      const ask = [...withKey(world), ...upgrade, "-H", "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=="];
      expect((await curl(world, "/v1/models", ...ask)).status).toBe(426);
      expect(await world.upstream.requests()).toEqual([]);
    });
  });

  test("models as an SDK and as Codex want them", async () => {
    await inWorld(async (world) => {
      const sdk = JSON.parse((await curl(world, "/v1/models", ...withKey(world))).body);
      expect(sdk.object).toBe("list");
      expect(sdk.data.map((model: { id: string }) => model.id)).toContain("gpt-5.5");
      const path = "/backend-api/codex/models?client_version=0.169.0";
      const codex = JSON.parse((await curl(world, path, ...withKey(world))).body);
      expect(codex.models.map((model: { slug: string }) => model.slug)).toContain("gpt-5.5");
    });
  });

  test("what cannot be read is refused in words, and costs upstream nothing", async () => {
    await inWorld(async (world) => {
      const broken = await post(world, "/v1/responses", CODEX_BODY, "-H", "content-encoding: gzip");
      expect(broken.status).toBe(400);
      const json = await curl(world, "/v1/responses", ...withKey(world), "--data-binary", '{"model":');
      expect(json.status).toBe(400);
      for (const answer of [broken, json]) expect(JSON.parse(answer.body).error.message.length).toBeGreaterThan(10);
      expect(await world.upstream.requests()).toEqual([]);
    });
  });
});
