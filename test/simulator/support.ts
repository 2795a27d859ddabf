/**
 * What the simulator's tests share: a simulator on a free port, a client for each of its faces, a reader of event streams,
 * and a raw socket for what fetch hides.
 */
import { connect } from "node:net";
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import type { FaultSpec } from "../../src/simulator/fault-book.ts";
import type { JsonObject } from "../../src/simulator/json.ts";
import type { Scenario } from "../../src/simulator/scenario.ts";
import { createSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";

export type Auth = Simulator["accounts"][number];
export interface TestBench {
  sim: Simulator;
  /** The account's first login. */
  auth(index?: number): Auth;
  headers(auth?: Auth): Record<string, string>;
  ask(text: string, more?: JsonObject, auth?: Auth): Promise<Response>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  get(path: string, auth?: Auth): Promise<Response>;
  control(method: string, path: string, body?: unknown): Promise<Response>;
  refresh(refreshToken: string): Promise<Response>;
  fault(spec: FaultSpec): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Runs on the system's timers; the wall clock moves only with `sim.clock`, so that no second passes between an act and its check. */
export async function startBench(scenario: Scenario = {}): Promise<TestBench> {
  const startMs = systemClock.nowMs();
  const clock = { ...systemClock, nowMs: () => startMs };
  return benchOf(await createSimulator({ clock, dice: systemDice, scenario }));
}

/** Time stands still until the test moves it: for pacing, stalls and late answers. */
export async function startTimedBench(scenario: Scenario = {}): Promise<TestBench & { time: ManualClock }> {
  const time = createManualClock();
  return { ...benchOf(await createSimulator({ clock: time, dice: systemDice, scenario })), time };
}

function benchOf(sim: Simulator): TestBench {
  const bench: TestBench = {
    sim,
    auth: (index = 0) => sim.accounts[index]!,
    headers: (auth = sim.accounts[0]!) => ({
      authorization: `Bearer ${auth.tokens.access_token}`,
      "chatgpt-account-id": auth.tokens.account_id,
      "content-type": "application/json",
    }),
    ask: (text, more = {}, auth) => bench.post("/codex/responses", requestBody(text, more), bench.headers(auth)),
    post: (path, body, headers = bench.headers()) =>
      fetch(`${sim.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) }),
    get: (path, auth) => fetch(`${sim.url}${path}`, { headers: bench.headers(auth) }),
    control: (method, path, body) =>
      fetch(`${sim.issuer}/__sim/v1/${path}`, {
        method,
        headers: { "x-rotor-sim": "1" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    refresh: (refreshToken) =>
      fetch(`${sim.issuer}/oauth/token`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ client_id: CLIENT_ID, grant_type: "refresh_token", refresh_token: refreshToken }),
      }),
    fault: (spec) => void sim.addFault(spec),
    [Symbol.asyncDispose]: () => sim.close(),
  };
  return bench;
}

export const CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann";

export function requestBody(text: string, more: JsonObject = {}): JsonObject {
  return {
    model: "gpt-5.5",
    instructions: "",
    input: [{ type: "message", role: "user", content: [{ type: "input_text", text }] }],
    stream: true,
    store: false,
    include: ["reasoning.encrypted_content"],
    ...more,
  };
}

export async function jsonOf(response: Response): Promise<JsonObject> {
  return (await response.json()) as JsonObject;
}

/** The JSON events of a stream's text. */
export function eventsOf(text: string): JsonObject[] {
  return text
    .split(/\r\n\r\n|\n\n|\r\r/)
    .map((block) =>
      block
        .split(/\r\n|\n|\r/)
        .find((line) => line.startsWith("data: "))
        ?.slice(6),
    )
    .filter((data) => data !== undefined && data !== "[DONE]")
    .map((data) => JSON.parse(data!));
}

export function typesOf(text: string): string[] {
  return eventsOf(text).map((event) => String(event.type));
}

export function textOf(text: string): string {
  return eventsOf(text)
    .filter((event) => event.type === "response.output_text.delta")
    .map((event) => event.delta)
    .join("");
}

/** The items of `output_item.done`. */
export function itemsOf(text: string): JsonObject[] {
  return eventsOf(text)
    .filter((event) => event.type === "response.output_item.done")
    .map((event) => event.item as JsonObject);
}

/** Spins the event loop until it is so. The bound is for a broken test, not for a slow machine. */
export async function until(isSo: () => boolean, what = "the condition"): Promise<void> {
  const stopAtMs = performance.now() + 10_000;
  while (!isSo()) {
    if (performance.now() > stopAtMs) throw new Error(`${what} did not come about`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export interface RawResult {
  text: string;
  /** `fin`: the peer ended in order; `reset`: RST. */
  end: "fin" | "reset";
}

/** Sends bytes on a fresh connection and reads until the peer ends it. */
export function rawExchange(port: number, ...parts: string[]): Promise<RawResult> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1", () => {
      for (const part of parts) socket.write(part);
    });
    const done = (end: RawResult["end"]) => resolve({ text: Buffer.concat(chunks).toString(), end });
    socket.on("data", (bytes) => chunks.push(Buffer.from(bytes)));
    socket.on("end", () => done("fin"));
    socket.on("error", (error: NodeJS.ErrnoException) => done(error.code === "ECONNRESET" ? "reset" : "fin"));
  });
}

/** A request of /responses as bytes, for rawExchange. */
export function rawAsk(bench: TestBench, text: string): string {
  const body = JSON.stringify(requestBody(text));
  const headers = Object.entries({ ...bench.headers(), host: "127.0.0.1", "content-length": String(body.length) });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `POST /backend-api/codex/responses HTTP/1.1\r\n${lines}connection: close\r\n\r\n${body}`;
}
