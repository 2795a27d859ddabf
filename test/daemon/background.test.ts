/**
 * Background responses through the real daemon: begun, polled, streamed from the middle, canceled and removed, by the key that began them
 * and by no other; refused while they are off; gone with the daemon. Upstream sees what a cancel means.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { FaultSpec } from "../../src/simulator/fault-book.ts";
import { createProxyClient, eventsOf, type ProxyClient, speakerOf } from "./support/client.ts";
import { type Lane, openLane } from "./support/lane.ts";
import { type Received, sendRaw } from "./support/raw-http.ts";
import type { Trio } from "./support/trio.ts";
import { until } from "./support/until.ts";

let lane: Lane;

beforeAll(async () => {
  lane = await openLane({ ROTOR_SETTING_BACKGROUND_RESPONSES: "on", ROTOR_SETTING_WAIT_SECONDS: "0" });
});

afterAll(() => lane[Symbol.asyncDispose]());

interface ResponseJson {
  readonly id: string;
  readonly object: string;
  readonly status: string;
  readonly background: boolean;
  readonly output: readonly { readonly content?: readonly { readonly text?: string }[] }[];
  readonly error: { readonly code: string; readonly message: string } | null;
}

const responseIn = (received: Received) => JSON.parse(received.text) as ResponseJson;
const errorIn = (received: Received) =>
  (JSON.parse(received.text) as { error: { code: string; message: string } }).error;

const call = (method: string, path: string, client: ProxyClient = lane.client) =>
  sendRaw(lane.client.url + path, { method, headers: { authorization: `Bearer ${client.key}` } }).received;

async function begin(more: object = {}): Promise<ResponseJson> {
  const received = await lane.client.ask("folded", { more: { background: true, store: true, ...more } });
  expect(received.status).toBe(200);
  return responseIn(received);
}

/** As it is once it has ended. */
async function ended(id: string): Promise<ResponseJson> {
  let response: ResponseJson | undefined;
  await until(async () => {
    response = responseIn(await call("GET", `/v1/responses/${id}`));
    return response.status !== "queued" && response.status !== "in_progress";
  }, "the end of a background response");
  return response!;
}

/** Of whichever account is asked next. */
const next = (fault: Pick<FaultSpec, "kind" | "point" | "delayMs">) =>
  lane.stage.sim.addFault({ ...fault, at: "responses", times: 1 });

const inference = (trio: Trio) => trio.requests("/backend-api/codex/responses");

describe("begun and fetched", () => {
  test("the answer comes at once; the response is there when it is done, under the same id", () =>
    lane.withTrio(async () => {
      const begun = await begin();
      expect(begun).toMatchObject({ object: "response", status: "queued", background: true, output: [], error: null });
      const done = await ended(begun.id);
      expect(done).toMatchObject({ id: begun.id, status: "completed", background: true });
      expect(
        done.output
          .flatMap((item) => item.content ?? [])
          .map(({ text }) => text)
          .join(""),
      ).toMatch(/^SIM /);
    }));

  test("nobody waits for it: while upstream is silent it is queued, then in progress", () =>
    lane.withTrio(async (trio) => {
      next({ kind: "stall", point: "middle" });
      const { id } = await begin();
      await until(
        async () => responseIn(await call("GET", `/v1/responses/${id}`)).status === "in_progress",
        "a response in progress",
      );
      expect(inference(trio)[0]!.end).toBe("open");
      const canceled = responseIn(await call("POST", `/v1/responses/${id}/cancel`));
      expect(canceled).toMatchObject({ id, status: "cancelled" });
      await until(() => inference(trio).every(({ end }) => end === "client_closed"), "the close at upstream");
      expect(responseIn(await call("POST", `/v1/responses/${id}/cancel`)).status).toBe("cancelled");
      await until(async () => (await lane.control.openLeases()) === 0, "the end of every lease");
    }));

  test("it is one exchange, and every answer names it", () =>
    lane.withTrio(async () => {
      const begun = await lane.client.ask("folded", { more: { background: true, store: true } });
      const { id } = responseIn(begun);
      await ended(id);
      const exchange = begun.headers.get("x-rotor-exchange")!;
      expect(id).toBe(`resp_${exchange.toLowerCase()}`);
      expect((await call("GET", `/v1/responses/${id}`)).headers.get("x-rotor-exchange")).toBe(exchange);
      expect((await lane.control.exchanges()).map((one) => one.id)).toContain(exchange);
    }));

  test("moves on to the next account like any exchange", () =>
    lane.withTrio(async (trio) => {
      next({ kind: "failed_usage_limit" });
      const done = await ended((await begin()).id);
      expect(done.status).toBe("completed");
      expect(inference(trio)).toHaveLength(2);
    }));

  test("what nobody could serve, what upstream refused and what was cut has failed, and says why", () =>
    lane.withTrio(async (trio) => {
      next({ kind: "context_length_exceeded" });
      expect(await ended((await begin()).id)).toMatchObject({
        status: "failed",
        error: { code: "context_length_exceeded" },
      });
      next({ kind: "cut", point: "middle" });
      expect(await ended((await begin()).id)).toMatchObject({ status: "failed", error: { code: "upstream_cut" } });
      for (const on of ["A", "B", "C"] as const)
        trio.order({ on, kind: "usage_limit", resetsInSeconds: 3_600, times: "always" });
      expect(await ended((await begin()).id)).toMatchObject({ status: "failed", error: { code: "pool_exhausted" } });
    }));
});

describe("streamed", () => {
  test("from the start, and again from any event on: the same events under the same id", () =>
    lane.withTrio(async () => {
      const received = await lane.client.ask("sdk", { more: { background: true, store: true } });
      const events = eventsOf(received.text);
      expect(events.at(-1)!.type).toBe("response.completed");
      expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
      const { id } = events[0]!.response as { id: string };
      expect((events.at(-1)!.response as { id: string }).id).toBe(id);
      expect(speakerOf(received.text)).not.toBeNull();
      const rest = await call("GET", `/v1/responses/${id}?stream=true&starting_after=2`);
      expect(eventsOf(rest.text)).toEqual(events.slice(3));
      expect(eventsOf((await call("GET", `/v1/responses/${id}?stream=true`)).text)).toEqual(events);
      expect((await call("GET", `/v1/responses/${id}?stream=true&starting_after=x`)).status).toBe(400);
    }));

  test("a client that hangs up stops nothing", () =>
    lane.withTrio(async (trio) => {
      next({ kind: "pause", point: "middle", delayMs: 300 });
      const open = lane.client.open("sdk", { more: { background: true, store: true } });
      await until(() => open.text().includes("response.created"), "the first event");
      const { id } = eventsOf(open.text())[0]!.response as { id: string };
      open.received.catch(() => {});
      open.hangUp();
      expect((await ended(id)).status).toBe("completed");
      expect(inference(trio).map(({ end }) => end)).toEqual(["answered"]);
    }));
});

describe("whose they are, and how long", () => {
  test("another key, a removed one and one that never was: 404 with one code", () =>
    lane.withTrio(async () => {
      const { id } = await begin();
      await ended(id);
      const stranger = createProxyClient(lane.client.url, await lane.control.createKey("stranger"));
      for (const [method, path] of [
        ["GET", `/v1/responses/${id}`],
        ["POST", `/v1/responses/${id}/cancel`],
        ["DELETE", `/v1/responses/${id}`],
      ] as const) {
        const refused = await call(method, path, stranger);
        expect(refused.status).toBe(404);
        expect(errorIn(refused).code).toBe("response_not_found");
      }
      expect(JSON.parse((await call("DELETE", `/v1/responses/${id}`)).text)).toEqual({
        id,
        object: "response",
        deleted: true,
      });
      for (const gone of [id, "resp_never"]) {
        expect(errorIn(await call("GET", `/v1/responses/${gone}`)).code).toBe("response_not_found");
      }
    }));

  test("store: false contradicts it", async () => {
    const refused = await lane.client.ask("folded", { more: { background: true, store: false } });
    expect(refused.status).toBe(400);
    expect(errorIn(refused).message).toContain("store");
  });

  test("off by default, and said so with the setting; lost with the daemon", async () => {
    const { stage } = lane;
    const first = await stage.start({ home: "other", env: { ROTOR_SETTING_BACKGROUND_RESPONSES: "on" } });
    const client = createProxyClient(first.proxyUrl, await first.control.createKey("test"));
    const more = { background: true, store: true };
    const { id } = responseIn(await client.ask("folded", { more }));
    expect((await client.get(`/v1/responses/${id}`)).status).toBe(200);
    await first.terminate();
    const second = await stage.start({ home: "other" });
    const again = createProxyClient(second.proxyUrl, client.key);
    expect(errorIn(await again.get(`/v1/responses/${id}`)).code).toBe("response_not_found");
    const refused = await again.ask("folded", { more });
    expect(refused.status).toBe(400);
    expect(errorIn(refused)).toMatchObject({ code: "background_off" });
    expect(errorIn(refused).message).toContain("background_responses");
  });
});
