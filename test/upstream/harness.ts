/** One attempt against the fake upstream, with time in the test's hands. */

import { afterEach, beforeEach, expect } from "bun:test";
import { systemDice } from "../../src/base/id.ts";
import { type LogFields, silentLog } from "../../src/base/log.ts";
import { Secret } from "../../src/base/secret.ts";
import { createUpstream } from "../../src/upstream/codex-client.ts";
import type { AttemptRequest, FailedAttempt, OpenedAttempt, Upstream } from "../../src/upstream/upstream.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";
import { type Call, type FakeUpstream, startFakeUpstream } from "./fake-upstream.ts";

export interface Harness {
  readonly clock: ManualClock;
  readonly upstream: Upstream;
  readonly fake: FakeUpstream;
  readonly warnings: { event: string; fields: LogFields | undefined }[];
  /** Sends one request; the call is what arrived at the fake upstream. */
  begin(more?: Partial<AttemptRequest>): Promise<Begun>;
}

export interface Begun {
  readonly call: Call;
  readonly result: Promise<FailedAttempt | OpenedAttempt>;
  /** The client hangs up. */
  readonly hangUp: () => void;
}

export const TIMEOUTS = { connectMs: 10_000, firstByteMs: 60_000, silenceMs: 300_000 };

export function request(more: Partial<AttemptRequest> = {}): AttemptRequest {
  return {
    method: "POST",
    path: "/codex/responses",
    headers: [["content-type", "application/json"]],
    body: new TextEncoder().encode('{"model":"gpt-5.5"}'),
    accessToken: new Secret("access-token-of-the-account"),
    workspaceId: "workspace-1",
    signal: new AbortController().signal,
    stream: true,
    filter: null,
    unpack: false,
    socket: null,
    timeouts: TIMEOUTS,
    ...more,
  };
}

/** Fresh for every test of the file; a promise that rejects with nobody listening fails the test. */
export function useHarness(): Harness {
  let fake: FakeUpstream;
  let clock: ManualClock;
  let upstream: Upstream;
  const warnings: Harness["warnings"] = [];
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => void unhandled.push(reason);
  beforeEach(async () => {
    process.on("unhandledRejection", onUnhandled);
    warnings.length = 0;
    fake = await startFakeUpstream();
    clock = createManualClock();
    const log = { ...silentLog, warn: (event: string, fields?: LogFields) => void warnings.push({ event, fields }) };
    upstream = createUpstream({ baseUrl: fake.url, clock, dice: systemDice, log });
  });
  afterEach(async () => {
    await fake.stop();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", onUnhandled);
    expect(unhandled.splice(0)).toEqual([]);
  });
  return {
    get clock() {
      return clock;
    },
    get upstream() {
      return upstream;
    },
    get fake() {
      return fake;
    },
    warnings,
    async begin(more) {
      const hangUp = new AbortController();
      const result = upstream.attempt(request({ signal: hangUp.signal, ...more }));
      return { result, call: await fake.next(), hangUp: () => hangUp.abort() };
    },
  };
}

export async function opened(result: Promise<FailedAttempt | OpenedAttempt>): Promise<OpenedAttempt> {
  const attempt = await result;
  if (attempt.kind !== "opened") throw new Error(`not opened: ${JSON.stringify(attempt.outcome)}`);
  return attempt;
}

export async function failed(result: Promise<FailedAttempt | OpenedAttempt>): Promise<FailedAttempt> {
  const attempt = await result;
  if (attempt.kind !== "failed") throw new Error("opened, though it should have failed");
  return attempt;
}

/** Moves time in steps until `result` is there; real I/O runs in between. */
export async function advancing<T>(clock: ManualClock, stepMs: number, result: Promise<T>): Promise<T> {
  let done = false;
  const settled = result.finally(() => {
    done = true;
  });
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(stepMs);
  }
  return settled;
}

/** Everything that the client would get, as text; `broken` when its side broke off. */
export async function drain(body: ReadableStream<Uint8Array>): Promise<{ text: string; broken: boolean }> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
    return { text, broken: false };
  } catch {
    return { text, broken: true };
  }
}
