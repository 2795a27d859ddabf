/**
 * Every row of product.md §4 through real HTTP: the real daemon, the simulator, a client in each of its three dresses. The table is in
 * failure-table.ts; here it is carried out.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FAILURE_TABLE, type Held, type Row, type StreamEnd } from "./failure-table.ts";
import { DRESSES, type Dress, shapeOf, speakerOf } from "./support/client.ts";
import type { AccountJson, HoldJson } from "./support/control.ts";
import { type Lane, openLane } from "./support/lane.ts";
import type { Received } from "./support/raw-http.ts";
import type { RelayedAnswer } from "./support/relay.ts";
import type { Trio } from "./support/trio.ts";
import { until } from "./support/until.ts";

const lanes = new Map<Dress, Lane>();

beforeAll(async () => {
  // Nobody waits here: what becomes of a request is known at once.
  for (const dress of DRESSES) lanes.set(dress, await openLane({ ROTOR_SETTING_WAIT_SECONDS: "0" }));
});

afterAll(async () => {
  for (const lane of lanes.values()) await lane[Symbol.asyncDispose]();
});

for (const { says, rows } of FAILURE_TABLE) {
  describe(says, () => {
    for (const row of rows) test(row.name, () => playInAllDresses(row));
  });
}

async function playInAllDresses(row: Row): Promise<void> {
  const played = DRESSES.map(async (dress) => {
    const lane = lanes.get(dress)!;
    try {
      await lane.withTrio((trio) => play(row, dress, lane, trio));
    } catch (cause) {
      throw new Error(`as ${dress}: ${(cause as Error).message}`, { cause });
    }
  });
  const failed = (await Promise.allSettled(played)).filter((end) => end.status === "rejected");
  if (failed.length > 0) throw failed[0]!.reason;
}

/** Between events of streams that break: a library that gets everything at once may throw the good part away with the bad. */
const EVENT_EVERY_MS = 3;

async function play(row: Row, dress: Dress, lane: Lane, trio: Trio): Promise<void> {
  const { client, relay, stage } = lane;
  stage.sim.pacing.delayMs = typeof row.client === "string" ? 0 : EVENT_EVERY_MS;
  for (const fault of row.faults) trio.order(fault);
  const fromMs = Date.now();
  const received = await client.ask(dress);
  expect(trio.tried()).toBe(row.tried);
  expect(trio.requests("/oauth/token").length).toBe(row.refreshes ?? 0);
  expectAnswer(row, dress, received, relay.answers().at(-1)!, trio);
  await expectRecord(row, received, lane, trio);
  expectHeld(row.held, await trio.account("A"), fromMs);
  for (const place of ["B", "C"] as const) {
    if (!row.faults.some((fault) => fault.on === place)) expectHeld("nothing", await trio.account(place), fromMs);
  }
}

function expectAnswer(row: Row, dress: Dress, received: Received, upstream: RelayedAnswer, trio: Trio): void {
  if (row.client === "passed" || dress === "codex") expectUpstreamsBytes(received, upstream);
  if (row.client === "served") expect(trio.place(speakerOf(received.text))).toBe(row.tried.at(-1)!);
  if (row.client === "passed") expect(received.whole).toBe(true);
  else if (dress === "folded" || (dress === "sdk" && isUnbegun(row.client))) expectFolded(row.client, received);
  else expectStream(row.client, received);
}

function isUnbegun(outcome: Row["client"]): boolean {
  return typeof outcome !== "string" && outcome.isUnbegun === true;
}

function expectUpstreamsBytes(received: Received, upstream: RelayedAnswer): void {
  expect(received.status).toBe(upstream.status);
  // What arrives together with the break of a connection may go down with it (fetch of Bun 1.4.5); nothing before that does.
  const bytes = received.whole ? upstream.body : upstream.body.subarray(0, received.bytes.length);
  expect(Buffer.compare(received.bytes, bytes)).toBe(0);
}

function expectStream(outcome: "served" | StreamEnd, received: Received): void {
  const { ends, whole } = outcome === "served" ? { ends: "response.completed", whole: true } : outcome;
  expect(received.status).toBe(200);
  expect(received.whole).toBe(whole);
  if (!whole) expect(received.text).toContain("response.output_text.delta");
  expect(shapeOf(received.text)).toEqual(["response.created", ...(ends === null ? [] : [ends])]);
}

/** One JSON answer: the response, or an error with a code and, where trying again helps, when. */
function expectFolded(outcome: "served" | StreamEnd, received: Received): void {
  const status = outcome === "served" ? 200 : outcome.folded;
  expect(received.status).toBe(status);
  expect(received.whole).toBe(true);
  const body = JSON.parse(received.text) as { status?: string; error?: { code: string; message: string } };
  if (status === 200) {
    expect(body.status).toBe(outcome === "served" ? "completed" : "incomplete");
    return;
  }
  expect(body.error?.code).toEqual(expect.stringMatching(/^\w+$/));
  expect(body.error?.message).not.toBe("");
  expect(Number(received.headers.get("retry-after")) > 0).toBe(status === 429 || status >= 500);
}

/** What `rotor exchange show` says is what upstream saw. */
async function expectRecord(row: Row, received: Received, { control }: Lane, trio: Trio): Promise<void> {
  const id = received.headers.get("x-rotor-exchange")!;
  await until(async () => (await control.exchange(id)).endTime !== undefined, "the end of the exchange");
  const exchange = await control.exchange(id);
  expect((exchange.attempts ?? []).map((attempt) => trio.place(attempt.accountAlias)).join("")).toBe(row.tried);
  if (row.client === "served") expect(trio.place(exchange.accountAlias ?? null)).toBe(row.tried.at(-1)!);
  expect(exchange.attempts!.at(-1)!.next).toBe("done");
}

function expectHeld(held: Held, account: AccountJson, fromMs: number): void {
  const holds = account.holds ?? [];
  if (held === "nothing" || "refusesModel" in held) {
    const refused = held === "nothing" ? [] : [held.refusesModel];
    expect(holds).toEqual([]);
    expect((account.unsupportedModels ?? []).map(({ model }) => model)).toEqual(refused);
    return;
  }
  expect(holds.map(({ kind }) => kind)).toEqual([`HOLD_KIND_${held.hold.toUpperCase()}`]);
  if ("endsInSeconds" in held) expectEnd(holds[0]!, held.endsInSeconds, fromMs);
  else expect(holds[0]!.endTime).toBeUndefined();
}

/** The stated end, counted from a failure that lies between `fromMs` and now; upstream rounds instants to seconds. */
function expectEnd(hold: HoldJson, inSeconds: number, fromMs: number): void {
  const endMs = Date.parse(hold.endTime!);
  expect(endMs).toBeGreaterThanOrEqual(fromMs + inSeconds * 1_000 - 1_000);
  expect(endMs).toBeLessThanOrEqual(Date.now() + inSeconds * 1_000 + 1_000);
}
