/** Bytes that are pushed on one side come out on the other, once and in order, read or flowing, however slow the reader. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { AnswerQueue } from "../../src/upstream/answer-queue.ts";
import type { ByteFlow } from "../../src/upstream/byte-reader.ts";
import { readAll } from "./http-client.suite.ts";

function source() {
  const seen: string[] = [];
  return {
    seen,
    rest: () => void seen.push("rest"),
    resume: () => void seen.push("resume"),
    giveUp: () => void seen.push("gave up"),
  };
}

/** Collects, and is full whenever the script says so, until `room` is called. */
function collector(fullAt: readonly boolean[]) {
  const got: Uint8Array[] = [];
  const ends: string[] = [];
  let full: PromiseWithResolvers<void> | null = null;
  const flow: ByteFlow = {
    bytes(chunk) {
      got.push(chunk);
      if (fullAt[got.length - 1] !== true) return null;
      full = Promise.withResolvers<void>();
      return full.promise;
    },
    ended: () => void ends.push("ended"),
    broken: () => void ends.push("broken"),
  };
  const room = async () => {
    full?.resolve();
    full = null;
    for (let turn = 0; turn < 3; turn++) await Promise.resolve();
  };
  return { flow, got, ends, room, isFull: () => full !== null };
}

const step = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 20 }).map((chunk) => ({ push: chunk })),
  fc.constant({ room: true } as const),
);

test("everything arrives in order, and the end after it, whenever the flow begins and rests", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.array(fc.boolean(), { maxLength: 30 }),
      fc.nat(30),
      fc.boolean(),
      async (steps, fullAt, begin, breaks) => {
        const queue = new AnswerQueue(source());
        const { flow, got, ends, room, isFull } = collector(fullAt);
        const sent: Uint8Array[] = [];
        for (const [at, what] of steps.entries()) {
          if (at === begin) queue.flow(flow);
          if ("push" in what) {
            sent.push(what.push);
            queue.push(what.push, false);
          } else await room();
        }
        if (breaks) queue.fail(new Error("broken"));
        else queue.end();
        if (begin >= steps.length) queue.flow(flow);
        while (isFull()) {
          expect(ends).toEqual([]);
          await room();
        }
        await room();
        expect(Buffer.concat(got).equals(Buffer.concat(sent))).toBe(true);
        expect(ends).toEqual([breaks ? "broken" : "ended"]);
      },
    ),
    { numRuns: 500 },
  );
});

test("whoever pushes is asked to rest when enough waits, and to go on when it was taken", async () => {
  const below = source();
  const queue = new AnswerQueue(below);
  for (let i = 0; i < 100; i++) queue.push(new Uint8Array(1_000), false);
  expect(below.seen).toEqual(["rest"]);
  expect((await queue.read()).value).toHaveLength(100_000);
  expect(below.seen).toEqual(["rest", "resume"]);
  const { flow, room } = collector([true]);
  queue.flow(flow);
  queue.push(new Uint8Array(1), false);
  for (let i = 0; i < 100; i++) queue.push(new Uint8Array(1_000), false);
  expect(below.seen).toEqual(["rest", "resume", "rest"]);
  await room();
  expect(below.seen).toEqual(["rest", "resume", "rest", "resume"]);
});

test("a read that waits gets what comes, and then the end", async () => {
  const queue = new AnswerQueue(source());
  const all = readAll(queue);
  queue.push(new Uint8Array([1]), false);
  await Promise.resolve();
  queue.push(new Uint8Array([2]), true);
  queue.end();
  expect([...(await all)]).toEqual([1, 2]);
  expect(queue.finished).toBe(true);
});

test("what has come is there at once, in one piece, and makes room", () => {
  const below = source();
  const queue = new AnswerQueue(below);
  expect(queue.take()).toBeNull();
  queue.push(new Uint8Array([1, 2]), false);
  queue.push(new Uint8Array([3]), false);
  expect([...queue.take()!]).toEqual([1, 2, 3]);
  for (let i = 0; i < 100; i++) queue.push(new Uint8Array(1_000), false);
  expect(queue.take()).toHaveLength(100_000);
  expect(below.seen).toEqual(["rest", "resume"]);
  queue.push(new Uint8Array([4]), true);
  queue.end();
  expect(queue.finished).toBe(false);
  expect([...queue.take()!]).toEqual([4]);
  expect([queue.take(), queue.finished]).toEqual([null, true]);
});

test("what has arrived is read before the break", async () => {
  const queue = new AnswerQueue(source());
  queue.push(new Uint8Array([1]), false);
  queue.fail(new Error("broken"));
  expect((await queue.read()).value).toEqual(new Uint8Array([1]));
  expect((await Promise.allSettled([queue.read()]))[0]!.status).toBe("rejected");
});

test("given up: nothing more is taken, and the source is told once, unless it has ended", async () => {
  const below = source();
  const queue = new AnswerQueue(below);
  const { flow, got, ends } = collector([]);
  queue.flow(flow);
  await queue.cancel();
  await queue.cancel();
  queue.push(new Uint8Array([1]), false);
  expect([below.seen, got, ends]).toEqual([["gave up"], [], []]);
  const done = source();
  const whole = new AnswerQueue(done);
  whole.end();
  await whole.cancel();
  expect(done.seen).toEqual([]);
});
