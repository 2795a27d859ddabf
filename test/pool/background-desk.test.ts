/**
 * The desk of background responses: how many, how large, how long, and whose. What they say is the door's.
 */
import { expect, test } from "bun:test";
import {
  BACKGROUND_ALL_MAX_BYTES,
  BACKGROUND_KEEP_MS,
  BACKGROUND_MAX_KEPT,
  BACKGROUND_MAX_RUNNING,
  BACKGROUND_ONE_MAX_BYTES,
} from "../../src/base/bounds.ts";
import { fromUnknown } from "../../src/base/errors.ts";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { type BackgroundWork, createBackgroundDesk } from "../../src/pool/background-desk.ts";
import { createScheduler } from "../../src/pool/scheduler.ts";
import { createManualClock } from "../support/manual-clock.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function openDesk() {
  const clock = createManualClock();
  const on = { background_responses: true };
  const desk = createBackgroundDesk({
    clock,
    dice: systemDice,
    scheduler: createScheduler(clock),
    settings: () => on,
    log: silentLog,
  });
  const begin = (requestBytes = 10, keyId = "key") => {
    let work!: BackgroundWork;
    const response = desk.start({
      keyId,
      requestBytes,
      first: () => bytes("queued"),
      work: async (given) => {
        work = given;
      },
    });
    return { response, work };
  };
  return { clock, desk, begin, on };
}

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (thrown) {
    return fromUnknown(thrown).code;
  }
  return "none";
};

const sequence = (length: number) => ({ sequence: 0, bytes: new Uint8Array(length) });

test("it is kept for an hour after its end, and no longer", async () => {
  const { clock, desk, begin } = openDesk();
  const { response, work } = begin();
  await clock.advance(BACKGROUND_KEEP_MS * 3);
  expect(desk.get(response.id, "key").isOver).toBe(false);
  work.end(bytes("done"));
  await clock.advance(BACKGROUND_KEEP_MS - 1);
  expect(new TextDecoder().decode(desk.get(response.id, "key").json)).toBe("done");
  await clock.advance(1);
  expect(codeOf(() => desk.get(response.id, "key"))).toBe("response_not_found");
});

test("only the key that began it knows it", () => {
  const { desk, begin } = openDesk();
  const { response, work } = begin();
  for (const act of [
    () => desk.get(response.id, "other"),
    () => desk.cancel(response.id, "other", (json) => json),
    () => desk.remove(response.id, "other"),
  ]) {
    expect(codeOf(act)).toBe("response_not_found");
  }
  expect(work.signal.aborted).toBe(false);
});

test("off means off for new ones; what is under way can be fetched", () => {
  const { desk, begin, on } = openDesk();
  const { response } = begin();
  on.background_responses = false;
  expect(codeOf(() => begin())).toBe("background_off");
  expect(desk.get(response.id, "key").isOver).toBe(false);
});

test("a cancel aborts the work, and nothing that comes later changes it", async () => {
  const { desk, begin } = openDesk();
  const { response, work } = begin();
  const changed = response.changed();
  desk.cancel(response.id, "key", () => bytes("canceled"));
  await changed;
  expect(work.signal.aborted).toBe(true);
  work.says(bytes("in progress"));
  work.event(sequence(1));
  work.end(bytes("done"));
  desk.cancel(response.id, "key", () => bytes("twice"));
  expect(new TextDecoder().decode(response.json)).toBe("canceled");
  expect(response.events).toEqual([]);
});

test("so many at once, and one more when one has ended", () => {
  const { begin } = openDesk();
  const works = Array.from({ length: BACKGROUND_MAX_RUNNING }, () => begin().work);
  expect(codeOf(() => begin())).toBe("background_full");
  works[0]!.end(bytes("done"));
  expect(codeOf(() => begin())).toBe("none");
});

test("the ended ones that came first make room, by number", () => {
  const { desk, begin } = openDesk();
  const ids = Array.from({ length: BACKGROUND_MAX_KEPT + 1 }, () => {
    const { response, work } = begin();
    work.end(bytes("done"));
    return response.id;
  });
  expect(codeOf(() => desk.get(ids[0]!, "key"))).toBe("response_not_found");
  expect(codeOf(() => desk.get(ids[1]!, "key"))).toBe("none");
});

test("and by bytes: requests under way, events, all together", () => {
  const { desk, begin } = openDesk();
  expect(codeOf(() => begin(BACKGROUND_ALL_MAX_BYTES + 1))).toBe("background_full");
  const { response: first, work } = begin();
  work.event(sequence(BACKGROUND_ONE_MAX_BYTES));
  expect(codeOf(() => work.event(sequence(1)))).toBe("background_full");
  work.end(bytes("done"));
  expect(codeOf(() => begin(BACKGROUND_ALL_MAX_BYTES - 1_000))).toBe("none");
  expect(codeOf(() => desk.get(first.id, "key"))).toBe("response_not_found");
  expect(codeOf(() => begin(2_000))).toBe("background_full");
});

test("closing cuts what is under way and forgets everything", () => {
  const { desk, begin } = openDesk();
  const { response, work } = begin();
  desk.close();
  expect(work.signal.aborted).toBe(true);
  expect(response.isOver).toBe(true);
  expect(codeOf(() => desk.get(response.id, "key"))).toBe("response_not_found");
});
