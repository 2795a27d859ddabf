/**
 * Answers that no upstream of good sense gives, through one attempt: whatever comes, the attempt ends, says how, and leaves nothing behind. What is
 * whole comes out byte for byte, however it is cut. Half a million in the deep run (ROTOR_TEST_PART=3/8 runs the third of eight parts), a sample
 * every time; a failure names its seed and its case.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import type { ByteFilter } from "../../src/base/byte-filter.ts";
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { ChatChunks } from "../../src/proxy/chat-chunks.ts";
import { sdkEvents } from "../../src/proxy/sdk-events.ts";
import { createUpstream } from "../../src/upstream/codex-client.ts";
import { mutate, noise } from "../daemon/support/fuzz-bytes.ts";
import { type Chance, IS_DEEP, partOf, seeded, seededCase } from "../daemon/support/seed.ts";
import { within } from "../daemon/support/until.ts";
import { WANTS } from "../support/chat-stream.ts";
import { FAILURE_EVENTS } from "../vectors/failure-events.ts";
import { completed, created, delta, inProgress, sse } from "../vectors/streams.ts";
import { request } from "./harness.ts";

const ANSWERS = IS_DEEP ? 500_000 : 3_000;
const AT_ONCE = 8;
const LIMIT_MS = IS_DEEP ? 3_600_000 : 120_000;
/** The streams of a few events that are under way, and what the runtime keeps for itself. */
const MAY_GROW_MB = 160;

interface FuzzedAnswer {
  readonly pieces: readonly Buffer[];
  /** What the client must get, byte for byte; null where nobody can say. */
  readonly body: Buffer | null;
}

function anyStream(chance: Chance): Buffer {
  const lineEnd = chance.pick(["\n", "\r\n", "\r"]);
  const texts = ["x", "\u2028", "\u{1F600}", "data: x\n", "y".repeat(chance.between(0, 3_000))];
  const events: object[] = [created, inProgress];
  for (let count = chance.between(0, 6); count > 0; count--) events.push(delta(chance.pick(texts)));
  if (chance.fraction() < 0.2)
    events.splice(chance.between(0, events.length), 0, chance.pick(FAILURE_EVENTS).event as object);
  if (chance.fraction() < 0.9) events.push(completed);
  return Buffer.from(events.map((event) => sse(event as { type: string }, lineEnd)).join(""));
}

function anyAnswer(chance: Chance): FuzzedAnswer {
  const status = chance.fraction() < 0.8 ? 200 : chance.pick([204, 304, 400, 401, 403, 404, 429, 500, 503, 999]);
  const stream = chance.fraction() < 0.85 ? anyStream(chance) : noise(chance, chance.between(0, 200));
  const type = chance.fraction() < 0.9 ? "text/event-stream" : chance.pick(["application/json", "", "text/html"]);
  const fields = [`content-type: ${type}`, "x-codex-primary-used-percent: 12.5"];
  if (chance.fraction() < 0.1)
    fields.push(chance.pick(["retry-after: -1", "content-encoding: gzip", "cf-ray: x", "x-error-json: e30="]));
  let framed: Buffer = stream;
  if (chance.fraction() < 0.6) {
    fields.push("transfer-encoding: chunked");
    framed = chunked(chance, stream);
  } else if (chance.fraction() < 0.7) fields.push(`content-length: ${stream.length}`);
  else fields.push("connection: close");
  const early = chance.fraction() < 0.05 ? "HTTP/1.1 100 Continue\r\n\r\n" : "";
  const head = Buffer.from(`${early}HTTP/1.1 ${status} Whatever\r\n${fields.join("\r\n")}\r\n\r\n`, "latin1");
  const whole = Buffer.concat([head, framed]);
  const isBent = chance.fraction() < 0.5;
  const isPlain =
    !isBent && status === 200 && type === "text/event-stream" && !fields.includes("content-encoding: gzip");
  return { pieces: cut(chance, isBent ? mutate(chance, whole) : whole), body: isPlain ? stream : null };
}

function chunked(chance: Chance, bytes: Buffer): Buffer {
  const parts = cut(chance, bytes).flatMap((piece) => [
    Buffer.from(`${piece.length.toString(16)}\r\n`),
    piece,
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

function cut(chance: Chance, bytes: Buffer): Buffer[] {
  const places = Array.from({ length: chance.between(0, 6) }, () => chance.between(0, bytes.length)).sort(
    (a, b) => a - b,
  );
  return [...places, bytes.length]
    .map((at, index) => bytes.subarray(places[index - 1] ?? 0, at))
    .filter(({ length }) => length > 0);
}

const FILTERS: readonly (() => ByteFilter)[] = [
  () => sdkEvents(systemClock.nowMs)(null),
  () => new ChatChunks(WANTS, systemClock.nowMs),
];

let server: Server;
let url: string;
const answers = new Map<string, FuzzedAnswer>();
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => void unhandled.push(reason);

/** Each request names the answer that it is to get; the connection ends behind it. */
async function answer(socket: Socket, path: string): Promise<void> {
  for (const piece of answers.get(path)?.pieces ?? []) {
    if (socket.destroyed) return;
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
}

beforeAll(async () => {
  process.on("unhandledRejection", onUnhandled);
  server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once(
      "data",
      (bytes: Buffer) => void answer(socket, /^POST (\S+)/.exec(bytes.toString("latin1"))?.[1] ?? ""),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  url = `http://127.0.0.1:${address.port}`;
});

afterAll(() => {
  process.off("unhandledRejection", onUnhandled);
  server.close();
});

async function attempt(upstream: ReturnType<typeof createUpstream>, number: number, chance: Chance): Promise<void> {
  const fuzzed = anyAnswer(chance);
  const path = `/${number}`;
  answers.set(path, fuzzed);
  const filter = chance.fraction() < 0.5 ? null : chance.pick(FILTERS);
  const timeouts = { connectMs: 10_000, firstByteMs: 10_000, silenceMs: 10_000 };
  const more = { filter, unpack: chance.fraction() < 0.5, statusForRefusals: chance.fraction() < 0.5, timeouts };
  const shown = () => `an answer: ${JSON.stringify(Buffer.concat(fuzzed.pieces).toString("latin1").slice(0, 1_500))}`;
  const result = await within(upstream.attempt(request({ ...more, path })), shown());
  if (result.kind === "opened") {
    const parts: Uint8Array[] = [];
    try {
      await within(
        (async () => {
          for await (const chunk of result.body) parts.push(chunk.slice());
        })(),
        shown(),
      );
    } catch (error) {
      if (String(error).includes("did not end")) throw error;
    }
    const end = await within(result.end, `the end of ${shown()}`);
    expect(end.outcome.kind).toBeString();
    if (filter === null && fuzzed.body !== null && !Buffer.concat(parts).equals(fuzzed.body))
      throw new Error(`other bytes for ${shown()}`);
  } else expect(result.outcome.kind).not.toBe("unreachable");
  answers.delete(path);
}

test(
  `${partOf(ANSWERS).count} answers: each attempt ends and says how; what is whole is passed on byte for byte`,
  () =>
    seeded("fuzzed answers", async () => {
      const upstream = createUpstream({ baseUrl: url, clock: systemClock, dice: systemDice, log: silentLog });
      const part = partOf(ANSWERS);
      let begun = 0;
      let warmMb = 0;
      const worker = async () => {
        while (begun < part.count) {
          if (begun === Math.floor(part.count / 3)) warmMb = process.memoryUsage.rss() / 2 ** 20;
          const number = part.numberOf(begun++);
          await seededCase("answer", number, (chance) => attempt(upstream, number, chance));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      upstream.close();
      expect(unhandled).toEqual([]);
      expect(process.memoryUsage.rss() / 2 ** 20 - warmMb).toBeLessThan(MAY_GROW_MB);
    }),
  LIMIT_MS,
);
