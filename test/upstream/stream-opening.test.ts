/** When a stream is opened: in the turn that brought what decides it, or as soon as that has come. */
import { expect, test } from "bun:test";
import { AnswerQueue } from "../../src/upstream/answer-queue.ts";
import { AttemptGuard } from "../../src/upstream/attempt-guard.ts";
import { openStream } from "../../src/upstream/stream-opening.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { completed, created, delta, sse, stream, USAGE_READ, WHOLE_STREAM } from "../vectors/streams.ts";
import { drain, TIMEOUTS } from "./harness.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function begin() {
  const clock = createManualClock();
  const guard = new AttemptGuard(clock, { signal: new AbortController().signal, timeouts: TIMEOUTS });
  const queue = new AnswerQueue({ rest() {}, resume() {}, giveUp() {} });
  return { clock, queue, open: () => openStream(queue, guard, clock) };
}

test("one whose output has come already is open at once, and goes on", async () => {
  const { queue, open, clock } = begin();
  queue.push(bytes(stream(created)), false);
  queue.push(bytes(sse(delta("x"))), false);
  const opening = open();
  if (opening instanceof Promise || opening.kind !== "opened") throw new Error("not open at once");
  const got = drain(opening.tap.body);
  await new Promise((resolve) => setImmediate(resolve));
  queue.push(bytes(sse(completed)), true);
  queue.end();
  expect(await got).toEqual({ text: stream(created, delta("x"), completed), broken: false });
  expect((await opening.tap.end).outcome).toEqual({ kind: "served", usage: USAGE_READ });
  expect(clock.pending()).toBe(0);
});

test("one that is whole is served whoever reads it and when, and waits for nothing", async () => {
  const { queue, open, clock } = begin();
  queue.push(bytes(WHOLE_STREAM), true);
  queue.end();
  const opening = open();
  if (opening instanceof Promise || opening.kind !== "opened") throw new Error("not open at once");
  expect((await opening.tap.end).outcome).toEqual({ kind: "served", usage: USAGE_READ });
  expect(clock.pending()).toBe(0);
  expect(await drain(opening.tap.body)).toEqual({ text: WHOLE_STREAM, broken: false });
});

test("one of which only the beginning has come is waited for, and an end there is a failure", async () => {
  for (const way of ["more", "end", "break"] as const) {
    const { queue, open } = begin();
    queue.push(bytes(stream(created)), false);
    const opening = open();
    expect(opening).toBeInstanceOf(Promise);
    if (way === "more") queue.push(bytes(sse(delta("x"))), false);
    else if (way === "end") queue.end();
    else queue.fail(new Error("broken"));
    const decided = await opening;
    expect(decided.kind).toBe(way === "more" ? "opened" : "failed");
    if (decided.kind === "opened") await decided.tap.body.cancel();
  }
});
