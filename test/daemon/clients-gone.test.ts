/**
 * Clients that hang up or stop reading (product §4): upstream is told at once, the account is not blamed, its lease comes back, and the
 * daemon never reads ahead without bound. Told by what upstream saw and sent, not by a watch.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Pacing } from "../../src/simulator/pacing.ts";
import type { RequestRecord } from "../../src/simulator/recorder.ts";
import { openChat } from "./support/chat.ts";
import { createProxyClient, DRESSES, type Dress } from "./support/client.ts";
import type { ExchangeJson } from "./support/control.ts";
import { type Lane, openLane } from "./support/lane.ts";
import { openStage } from "./support/stage.ts";
import type { Trio } from "./support/trio.ts";
import { until } from "./support/until.ts";

let lane: Lane;

beforeAll(async () => {
  lane = await openLane();
});

afterAll(() => lane[Symbol.asyncDispose]());

/** A case whose streams run at a pace of their own. */
function pacedTrio(pacing: Partial<Pacing>, play: (trio: Trio) => Promise<void>): Promise<void> {
  const { sim } = lane.stage;
  const before = { ...sim.pacing };
  return lane.withTrio(async (trio) => {
    Object.assign(sim.pacing, pacing);
    try {
      await play(trio);
    } finally {
      Object.assign(sim.pacing, before);
    }
  });
}

const inference = (trio: Trio): RequestRecord[] => trio.requests("/backend-api/codex/responses");

/** Upstream saw the close, the lease is back, the record says whose doing it was, and nothing holds the account. */
async function expectGone(trio: Trio, attempts: number): Promise<void> {
  await until(() => inference(trio).every(({ end }) => end !== "open"), "the close at upstream");
  expect(inference(trio).map(({ end }) => end)).toEqual(Array(attempts).fill("client_closed"));
  await until(async () => (await lane.control.openLeases()) === 0, "the end of every lease");
  let newest: ExchangeJson | undefined;
  await until(async () => {
    newest = (await lane.control.exchanges())[0];
    return newest?.endTime !== undefined;
  }, "the end of the exchange");
  const outcomes = (newest?.attempts ?? []).map(({ outcome }) => outcome);
  expect([...outcomes, newest?.errorCode]).toContain("client_gone");
  for (const place of ["A", "B", "C"] as const) expect((await trio.account(place)).holds ?? []).toEqual([]);
}

describe("a client that hangs up cancels upstream", () => {
  for (const dress of DRESSES) {
    test(`before upstream has answered (${dress})`, () =>
      lane.withTrio(async (trio) => {
        trio.order({ kind: "stall_before_headers" });
        const request = lane.client.open(dress);
        request.received.catch(() => {});
        await until(() => inference(trio).length === 1, "the request at upstream");
        request.hangUp();
        await expectGone(trio, 1);
      }));

    test(`in the middle of a long stream: upstream sends a few events more at the most (${dress})`, () =>
      pacedTrio({ deltas: 20_000, delayMs: 2 }, async (trio) => {
        const request = lane.client.open(dress);
        request.received.catch(() => {});
        const isUnderWay = () =>
          dress === "folded"
            ? (inference(trio)[0]?.eventsSent ?? 0) > 50
            : request.text().split("response.output_text.delta").length > 10;
        await until(isUnderWay, "output");
        const sentBefore = inference(trio)[0]!.eventsSent;
        request.hangUp();
        await expectGone(trio, 1);
        const [{ eventsSent, eventsPlanned }] = inference(trio) as [RequestRecord];
        // What was on its way, and as long as a busy machine leaves a process without a turn.
        expect(eventsSent - sentBefore).toBeLessThan(3_000);
        expect(eventsPlanned).toBeGreaterThan(20_000);
      }));
  }

  test("after the first event, while the opening is still held back", () =>
    pacedTrio({ firstDelayMs: 60_000 }, async (trio) => {
      const request = lane.client.open("codex");
      request.received.catch(() => {});
      await until(() => (inference(trio)[0]?.eventsSent ?? 0) > 0, "the first event");
      request.hangUp();
      await expectGone(trio, 1);
      expect(request.bytesRead()).toBe(0);
    }));

  test("while it waits for an account: nothing is asked of upstream afterwards", () =>
    lane.withTrio(async (trio) => {
      for (const place of ["B", "C"] as const) {
        const { id } = await trio.account(place);
        await lane.control.call("AccountService/UpdateAccount", { accountId: id, enabled: false });
      }
      trio.order({ kind: "rate_limit", tryAgainIn: "15s" });
      const request = lane.client.open("codex");
      request.received.catch(() => {});
      await until(async () => ((await trio.account("A")).holds ?? []).length > 0, "the hold");
      request.hangUp();
      await until(async () => (await lane.control.exchanges())[0]?.endTime !== undefined, "the end of the exchange");
      const [newest] = await lane.control.exchanges();
      expect(newest?.errorCode).toBe("client_gone");
      expect(trio.tried()).toBe("A");
      const { id } = await trio.account("A");
      await lane.control.call("AccountService/ClearAccountCooldown", { accountId: id });
    }));

  test("while a refresh is under way: the refresh ends all the same, and is kept", () =>
    lane.withTrio(async (trio) => {
      trio.order({ kind: "unauthorized" });
      trio.order({ at: "refresh", kind: "late_answer", delayMs: 300 });
      const request = lane.client.open("codex");
      request.received.catch(() => {});
      await until(() => trio.requests("/oauth/token").length === 1, "the refresh");
      request.hangUp();
      await until(async () => (await trio.account("A")).credentials.generation === "2", "the new login");
      expect(trio.requests("/oauth/token").map(({ end }) => end)).toEqual(["answered"]);
      expect((await trio.account("A")).holds ?? []).toEqual([]);
      expect(trio.tried()).toBe("A");
    }));

  test("a hundred at once, at every stage of a stream: every lease comes back", () =>
    pacedTrio({ deltas: 2_000, delayMs: 1 }, async (trio) => {
      const requests = Array.from({ length: 90 }, (_, i) => lane.client.open(DRESSES[i % 3] as Dress));
      for (const request of requests) request.received.catch(() => {});
      for (const [i, request] of requests.entries()) {
        // Each leaves a little later than the one before: before, at and after the first bytes.
        await until(() => lane.stage.sim.gauges.openStreams > 0 || i === 0, "a stream");
        if (i % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
        request.hangUp();
      }
      await until(() => lane.stage.sim.gauges.openStreams === 0, "the end of every stream at upstream");
      await until(async () => (await lane.control.openLeases()) === 0, "the end of every lease");
      expect(inference(trio).filter(({ end }) => end === "answered")).toEqual([]);
      for (const place of ["A", "B", "C"] as const) expect((await trio.account(place)).holds ?? []).toEqual([]);
    }));
});

describe("a client that stops reading", () => {
  const STREAM_EVENTS = 1_000;
  const EVENT_BYTES = 64 * 1024;
  /** What the kernel's socket buffers take on both sides of the daemon (up to 10 MiB a hop on Linux), and room beside it. */
  const UNDER_WAY_BYTES = 40 * 1024 * 1024;
  /** contracts: a stalled reader does not grow the daemon by more. */
  const GROWTH_BYTES = 20 * 1024 * 1024;

  for (const dress of ["codex", "sdk", "chat"] as const) {
    test(`makes upstream stop too, keeps the stream, and gets the rest when it reads on (${dress})`, async () => {
      await using stage = await openStage({
        accounts: [{ alias: "alpha", windows: [{ minutes: 300, capacityRequests: 100 }] }],
        pacing: { deltas: STREAM_EVENTS, deltaChars: EVENT_BYTES },
      });
      const { control, proxyUrl, pid } = await stage.start();
      await control.importLogin(stage.sim.accounts[0], "alpha");
      const client = createProxyClient(proxyUrl, await control.createKey("test"));
      const request = dress === "chat" ? openChat(client, "hello", { stream: true }) : client.open(dress);
      await until(() => request.bytesRead() > 0, "the first bytes");
      request.stopReading();
      const [record] = stage.sim.requests() as [RequestRecord];
      const read = request.bytesRead();
      const rssBefore = rssBytes(pid);
      await settled(() => record.eventsSent);
      expect(record.eventsSent * EVENT_BYTES).toBeLessThan(read + UNDER_WAY_BYTES);
      expect(rssBytes(pid) - rssBefore).toBeLessThan(GROWTH_BYTES);
      expect(record.end).toBe("open");
      expect(await control.openLeases()).toBe(1);
      request.readOn();
      const received = await request.received;
      expect(`${received.status} ${received.whole}`).toBe("200 true");
      expect(received.bytes.length).toBeGreaterThan(STREAM_EVENTS * EVENT_BYTES);
      await until(async () => (await control.openLeases()) === 0, "the end of the lease");
    });
  }
});

/** The number has stopped growing: it stayed the same for many looks in a row. */
async function settled(read: () => number): Promise<void> {
  let last = -1;
  let same = 0;
  await until(() => {
    const now = read();
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 200;
  }, "the standstill of a stream that nobody reads");
}

function rssBytes(pid: number): number {
  if (process.platform !== "linux") return 0;
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes ?? 0) * 1_024;
}
