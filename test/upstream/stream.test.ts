/** Streams through one attempt: held back, opened, passed on byte for byte, and each way of ending. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  HOLD_BACK_MAX_BYTES,
  HOLD_BACK_MAX_EVENTS,
  HOLD_BACK_MAX_MS,
  SILENCE_BRIDGE_MS,
} from "../../src/base/bounds.ts";
import { T0 } from "../support/manual-clock.ts";
import { FAILURE_EVENTS, failedWith } from "../vectors/failure-events.ts";
import { RATE_LIMIT_EVENT } from "../vectors/limit-statements.ts";
import {
  completed,
  created,
  delta,
  incomplete,
  inProgress,
  sse,
  stream,
  USAGE_READ,
  WHOLE_STREAM,
} from "../vectors/streams.ts";
import type { Call } from "./fake-upstream.ts";
import { advancing, drain, failed, opened, useHarness } from "./harness.ts";

const h = useHarness();
const OPENING = stream(created, inProgress);
const LIMIT = failedWith({ code: "usage_limit_reached", message: "no", resets_in_seconds: 60 });
const PATIENT = { connectMs: 1, firstByteMs: 1e12, silenceMs: 300_000 };

describe("a stream that is whole", () => {
  test("passes byte for byte and is served with its usage", async () => {
    const { call, result } = await h.begin();
    call.open();
    for (let at = 0; at < WHOLE_STREAM.length; at += 97) call.write(WHOLE_STREAM.slice(at, at + 97));
    call.end();
    const attempt = await opened(result);
    expect(await drain(attempt.body)).toEqual({ text: WHOLE_STREAM, broken: false });
    expect(await attempt.end).toEqual({
      outcome: { kind: "served", usage: USAGE_READ },
      usage: USAGE_READ,
      observation: { windows: [], from: "event", tier: null, credits: null, atMs: undefined },
    });
    expect(h.clock.pending()).toBe(0);
  });

  test("in any chunks, with any line ends, any bytes", async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(chunks, fc.constantFrom("\n", "\r\n", "\r"), async (noise, lineEnd) => {
        const end = new TextEncoder().encode(sse(completed, lineEnd));
        const sent = [new TextEncoder().encode(sse(delta("x"), lineEnd)), ...noise, new Uint8Array([10, 10]), end];
        const { call, result } = await h.begin();
        call.open();
        for (const chunk of sent) if (chunk.length > 0) call.write(chunk);
        call.end();
        const attempt = await opened(result);
        const got = Buffer.from(await new Response(attempt.body).arrayBuffer());
        expect(got.equals(Buffer.concat(sent))).toBe(true);
        expect((await attempt.end).outcome.kind).toBe("served");
      }),
      { numRuns: 40 },
    );
  });

  test("cut anywhere, with separators of other grammars in its text and events of a megabyte", async () => {
    const texts = fc.constantFrom("\u2028\u2029", "\u{1F600}", "data: x", "x".repeat(1 << 20), "\u0085", "");
    const ends = fc.constantFrom("\n", "\r\n", "\r");
    await fc.assert(
      fc.asyncProperty(fc.array(texts, { maxLength: 4 }), ends, fc.array(fc.nat()), async (said, lineEnd, places) => {
        const events = [created, inProgress, ...said.map((text) => delta(text)), completed];
        const sent = Buffer.from(events.map((event) => sse(event, lineEnd)).join(""));
        const cuts = [...new Set(places.map((place) => place % sent.length))].sort((a, b) => a - b);
        const { call, result } = await h.begin();
        call.open();
        let from = 0;
        for (const at of [...cuts, sent.length]) {
          if (at > from) call.write(sent.subarray(from, at));
          from = Math.max(from, at);
          // Each piece is a read of its own.
          await new Promise((resolve) => setImmediate(resolve));
        }
        call.end();
        const attempt = await opened(result);
        const got = Buffer.from(await new Response(attempt.body).arrayBuffer());
        expect(got.equals(sent)).toBe(true);
        expect((await attempt.end).outcome).toMatchObject({ kind: "served", usage: USAGE_READ });
      }),
      { numRuns: 60 },
    );
  });

  test("incomplete is an end too", async () => {
    const { call, result } = await h.begin();
    call.open().write(stream(created, delta("x"), incomplete));
    call.end();
    const attempt = await opened(result);
    await drain(attempt.body);
    expect((await attempt.end).outcome).toEqual({ kind: "served", usage: USAGE_READ });
  });

  test("headers and events both teach windows", async () => {
    const { call, result } = await h.begin();
    call.open(200, { "content-type": "text/event-stream", "x-codex-primary-used-percent": "7" });
    call.write(stream(RATE_LIMIT_EVENT, created, delta("x"), completed));
    call.end();
    const attempt = await opened(result);
    // What has come in the opening is told at once: the stream may run for minutes.
    expect(attempt.observation.windows.map(({ usedPercent }) => usedPercent)).toEqual([12, 34, 1]);
    h.clock.advance(60_000);
    await drain(attempt.body);
    const { observation } = await attempt.end;
    expect(observation).toMatchObject({ from: "event", tier: "plus" });
    expect(observation.windows).toHaveLength(3);
    // As old as it is, not as old as the stream.
    expect(observation.atMs).toBe(T0);
  });

  test("whose client leaves after the last event was served", async () => {
    const { call, result } = await h.begin();
    call.open().write(WHOLE_STREAM);
    const attempt = await opened(result);
    const reader = attempt.body.getReader();
    await reader.read();
    await reader.cancel();
    expect((await attempt.end).outcome.kind).toBe("served");
    await call.closed;
  });

  test("whose connection lingers is closed for the client", async () => {
    const { call, result } = await h.begin();
    call.open().write(WHOLE_STREAM);
    const attempt = await opened(result);
    const got = await advancing(h.clock, 1_000, drain(attempt.body));
    expect(got).toEqual({ text: WHOLE_STREAM, broken: false });
    expect((await attempt.end).outcome.kind).toBe("served");
    await call.closed;
  });

  test("whose connection is reset after the last event is whole", async () => {
    const { call, result } = await h.begin();
    call.open().write(WHOLE_STREAM);
    const attempt = await opened(result);
    const reader = attempt.body.getReader();
    await reader.read();
    call.reset();
    expect((await reader.read()).done).toBe(true);
    expect((await attempt.end).outcome.kind).toBe("served");
  });
});

describe("held back", () => {
  for (const { fact, event, means, movesOn } of FAILURE_EVENTS) {
    test(`${fact}: ${movesOn ? "the attempt fails" : "upstream's words pass"}`, async () => {
      const { call, result } = await h.begin();
      const sent = OPENING + sse(event as { type: string });
      call.open().write(sent);
      if (!movesOn) call.end();
      if (movesOn) {
        const attempt = await failed(result);
        expect(attempt.outcome.kind).toBe(means.kind);
        expect(attempt.answer).toBeNull();
        await call.closed;
      } else {
        const attempt = await opened(result);
        expect((await drain(attempt.body)).text).toBe(sent);
        expect((await attempt.end).outcome.kind).toBe(means.kind);
      }
      expect(h.clock.pending()).toBe(0);
    });
  }

  for (const { fact, event, means } of FAILURE_EVENTS.filter(({ means }) => means.kind === "request_rejected")) {
    test(`${fact}: with a status of its own, for a door that reads those`, async () => {
      const { call, result } = await h.begin({ statusForRefusals: true });
      call.open().write(OPENING + sse(event as { type: string }));
      const { outcome, answer } = await failed(result);
      expect(outcome.kind).toBe(means.kind);
      expect(answer!.status).toBe(400);
      expect(answer!.headers).toContainEqual(["content-type", "application/json"]);
      const { error } = JSON.parse(new TextDecoder().decode(answer!.body)) as { error: Record<string, unknown> };
      const said = ((event as { response?: { error?: object } }).response?.error ?? event) as Record<string, unknown>;
      expect(error).toMatchObject({ code: said.code ?? null, message: said.message ?? expect.any(String) });
      await call.closed;
    });
  }

  test("after output a refusal passes as it is, whoever reads it", async () => {
    const { call, result } = await h.begin({ statusForRefusals: true });
    const sent = OPENING + sse(delta("x")) + sse(failedWith({ code: "invalid_prompt", message: "no" }));
    call.open().write(sent);
    call.end();
    expect((await drain((await opened(result)).body)).text).toBe(sent);
  });

  test("what was learnt on the way is kept when it fails", async () => {
    const { call, result } = await h.begin();
    call.open(200, {
      "content-type": "text/event-stream",
      "x-codex-primary-used-percent": "7",
      "x-codex-plan-type": "pro",
    });
    call.write(stream(RATE_LIMIT_EVENT, created, LIMIT));
    const { observation, outcome } = await failed(result);
    expect(outcome).toMatchObject({ kind: "window_exhausted", untilMs: T0 + 60_000 });
    expect(observation).toMatchObject({ from: "event", tier: "plus" });
    expect(observation.windows.map(({ usedPercent }) => usedPercent)).toEqual([12, 34, 1]);
  });

  test("the failure may itself be longer than what is held", async () => {
    const { call, result } = await h.begin();
    const long = { ...LIMIT, padding: "x".repeat(3 * HOLD_BACK_MAX_BYTES) };
    const text = OPENING + sse(long);
    call.open();
    for (let at = 0; at < text.length; at += 30_000) call.write(text.slice(at, at + 30_000));
    expect((await failed(result)).outcome.kind).toBe("window_exhausted");
  });

  test("output opens the stream before it ends", async () => {
    const { call, result } = await h.begin();
    call.open().write(OPENING + sse(delta("x")));
    const attempt = await opened(result);
    const reader = attempt.body.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(OPENING + sse(delta("x")));
    await reader.cancel();
    expect((await attempt.end).outcome).toEqual({ kind: "client_gone" });
    await call.closed;
  });

  test("too many opening events are let go", async () => {
    const { call, result } = await h.begin();
    const many = stream(...Array.from({ length: HOLD_BACK_MAX_EVENTS }, () => inProgress));
    call.open().write(many);
    const attempt = await opened(result);
    call.write(sse(LIMIT));
    call.end();
    expect((await drain(attempt.body)).text).toBe(many + sse(LIMIT));
    expect((await attempt.end).outcome.kind).toBe("window_exhausted");
  });

  test("too many opening bytes are let go", async () => {
    const { call, result } = await h.begin();
    call.open().write(`: ${"x".repeat(HOLD_BACK_MAX_BYTES)}\n\n`);
    const attempt = await opened(result);
    await attempt.body.cancel();
    await attempt.end;
  });

  test("for too long after created: let go, and no byte is lost", async () => {
    const { call, result } = await h.begin({ timeouts: PATIENT });
    call.open().write(OPENING);
    const attempt = await opened(advancing(h.clock, HOLD_BACK_MAX_MS / 4, result));
    call.write(stream(delta("x"), completed));
    call.end();
    expect((await drain(attempt.body)).text).toBe(OPENING + stream(delta("x"), completed));
    expect((await attempt.end).outcome.kind).toBe("served");
  });

  test("pings alone are no first byte", async () => {
    const { call, result } = await h.begin({ timeouts: { ...PATIENT, firstByteMs: 60_000 } });
    call.open().write(": ping\n\n");
    const { outcome } = await failed(advancing(h.clock, 30_000, result));
    expect(outcome).toMatchObject({ kind: "timed_out", phase: "first_byte" });
    await call.closed;
  });

  test("silence after an opening event that is not created", async () => {
    const { call, result } = await h.begin({ timeouts: PATIENT });
    call.open().write(sse(RATE_LIMIT_EVENT));
    const { outcome, observation } = await failed(advancing(h.clock, 100_000, result));
    expect(outcome).toEqual({ kind: "timed_out", phase: "silence", message: "nothing came for 300 s" });
    expect(observation).toMatchObject({ from: "event", tier: "plus" });
  });

  test.each(["end", "reset"] as const)("upstream goes by %s before any output", async (how) => {
    const { call, result } = await h.begin();
    call.open().write(OPENING);
    if (how === "end") call.end();
    else call.reset();
    expect((await failed(result)).outcome.kind).toBe("upstream_failed");
    expect(h.clock.pending()).toBe(0);
  });

  test("an empty stream", async () => {
    const { call, result } = await h.begin();
    call.open().end();
    expect((await failed(result)).outcome).toMatchObject({ kind: "upstream_failed", status: 200 });
  });

  test("the client hangs up while nothing is decided", async () => {
    const { call, result, hangUp } = await h.begin();
    call.open().write(OPENING);
    hangUp();
    expect((await failed(result)).outcome).toEqual({ kind: "client_gone" });
    await call.closed;
  });
});

describe("after output began", () => {
  async function begun(more: Parameters<typeof h.begin>[0] = { timeouts: PATIENT }) {
    const { call, result, hangUp } = await h.begin(more);
    call.open().write(OPENING + sse(delta("x")));
    return { call, hangUp, attempt: await opened(result) };
  }

  test("an end without a last event is cut; the client sees upstream's end", async () => {
    const { call, attempt } = await begun();
    call.end();
    expect((await drain(attempt.body)).broken).toBe(false);
    expect((await attempt.end).outcome).toEqual({
      kind: "cut",
      message: "upstream ended the answer before it was complete",
    });
  });

  test("a reset is cut; the client's side breaks off", async () => {
    const { call, attempt } = await begun();
    const got = drain(attempt.body);
    call.reset();
    expect((await got).broken).toBe(true);
    expect((await attempt.end).outcome.kind).toBe("cut");
  });

  test("a last event that was cut through is no end", async () => {
    const { call, attempt } = await begun();
    call.write(sse(completed).slice(0, -10));
    call.end();
    await drain(attempt.body);
    expect((await attempt.end).outcome.kind).toBe("cut");
  });

  test("a failure is the outcome, and passes on", async () => {
    const { call, attempt } = await begun();
    call.write(sse(LIMIT));
    call.end();
    expect((await drain(attempt.body)).text).toBe(OPENING + sse(delta("x")) + sse(LIMIT));
    expect((await attempt.end).outcome).toMatchObject({ kind: "window_exhausted", untilMs: T0 + 60_000 });
  });

  test("silence ends it", async () => {
    const { call, attempt } = await begun();
    const got = await advancing(h.clock, 100_000, drain(attempt.body));
    expect(got.broken).toBe(true);
    expect((await attempt.end).outcome).toMatchObject({ kind: "timed_out", phase: "silence" });
    await call.closed;
  });

  describe("is bridged for the client", () => {
    const bridge = new TextEncoder().encode(": still there\n\n");
    const decoder = new TextDecoder();
    /** With a reader that has read what came until now. */
    const bridged = async (rest = "") => {
      const { call, result } = await h.begin({ bridge });
      call.open().write(OPENING + sse(delta("x")) + rest);
      const attempt = await opened(result);
      const reader = attempt.body.getReader();
      const sent = OPENING + sse(delta("x")) + rest;
      let got = "";
      while (got.length < sent.length) got += decoder.decode((await reader.read()).value);
      expect(got).toBe(sent);
      return { call, attempt, reader };
    };

    test("again and again, until upstream speaks, or for good", async () => {
      const { call, attempt, reader } = await bridged();
      for (let count = 0; count < 3; count++) {
        const read = reader.read();
        await h.clock.advance(SILENCE_BRIDGE_MS);
        expect((await read).value).toEqual(bridge);
      }
      call.write(sse(delta("y")));
      expect(decoder.decode((await reader.read()).value)).toBe(sse(delta("y")));
      // It does not keep a dead upstream alive.
      let last = reader.read();
      let isBroken = false;
      for (let waitedMs = 0; waitedMs <= 310_000 && !isBroken; waitedMs += SILENCE_BRIDGE_MS) {
        await h.clock.advance(SILENCE_BRIDGE_MS);
        await last.then(
          ({ done }) => void (isBroken = done),
          () => void (isBroken = true),
        );
        if (!isBroken) last = reader.read();
      }
      expect(isBroken).toBe(true);
      expect((await attempt.end).outcome).toMatchObject({ kind: "timed_out", phase: "silence" });
    });

    test("never inside an event", async () => {
      const { call, reader } = await bridged("event: response.output_text.delta\ndata: {");
      const read = reader.read();
      await h.clock.advance(SILENCE_BRIDGE_MS * 2);
      call.write('"type":"response.output_text.delta"}\n\n');
      expect(decoder.decode((await read).value)).toBe('"type":"response.output_text.delta"}\n\n');
      const next = reader.read();
      await h.clock.advance(SILENCE_BRIDGE_MS);
      expect((await next).value).toEqual(bridge);
      await reader.cancel();
    });

    test("never behind the end, and not at all for a client that asked for none", async () => {
      const { call, reader } = await bridged(sse(completed));
      const read = reader.read();
      await h.clock.advance(4_000);
      call.end();
      expect((await read).done).toBe(true);
      const { attempt } = await begun();
      const got = await advancing(h.clock, 100_000, drain(attempt.body));
      expect(got).toEqual({ text: OPENING + sse(delta("x")), broken: true });
    });
  });

  test("a client that does not read is not upstream's silence", async () => {
    const { call, attempt } = await begun();
    const reader = attempt.body.getReader();
    await reader.read();
    // More than is held for anybody, so that upstream is left alone until somebody reads.
    await fillUp(call);
    for (let i = 0; i < 10; i++) await h.clock.advance(100_000);
    call.write(`\n\n${sse(completed)}`);
    call.end();
    while (!(await reader.read()).done);
    expect((await attempt.end).outcome.kind).toBe("served");
  });

  test("bytes now and then are no silence", async () => {
    const { call, attempt } = await begun();
    const reader = attempt.body.getReader();
    await reader.read();
    for (let i = 0; i < 10; i++) {
      const read = reader.read();
      await h.clock.advance(200_000);
      call.write(sse(delta(`${i}`)));
      expect((await read).done).toBe(false);
    }
    await reader.cancel();
  });

  test("the client's hanging up cancels upstream, reading or not", async () => {
    for (const reading of [true, false]) {
      const { call, attempt, hangUp } = await begun();
      const got = reading ? drain(attempt.body) : null;
      hangUp();
      expect((await attempt.end).outcome).toEqual({ kind: "client_gone" });
      await call.closed;
      if (got !== null) expect((await got).broken).toBe(true);
      expect(h.clock.pending()).toBe(0);
    }
  });

  test("cancelling the body cancels upstream, reading or not", async () => {
    for (const reading of [true, false]) {
      const { call, attempt } = await begun();
      const reader = attempt.body.getReader();
      await reader.read();
      const read = reading ? reader.read() : null;
      await reader.cancel();
      expect((await attempt.end).outcome).toEqual({ kind: "client_gone" });
      await call.closed;
      if (read !== null) expect((await read).done).toBe(true);
    }
  });

  test.each([false, true])(
    "a reader that stalls stops upstream, whether it began to read or not: %p",
    async (begins) => {
      const { call, attempt } = await begun();
      const reader = attempt.body.getReader();
      if (begins) await reader.read();
      // A reader that took everything would let all of it through.
      expect(await fillUp(call)).toBeLessThan(FILL_MOST_BYTES / 4);
      await reader.cancel();
      await call.closed;
    },
  );
});

const FILL_MOST_BYTES = 256 * 1024 * 1024;

/** Writes until the socket stays full; the bytes that it took. */
async function fillUp(call: Call): Promise<number> {
  const piece = new Uint8Array(64 * 1024).fill(0x78);
  let written = 0;
  while (written < FILL_MOST_BYTES) {
    written += piece.length;
    if (call.write(piece)) continue;
    const drained = new Promise((resolve) => call.socket.once("drain", () => resolve("drained")));
    const gaveUp = quiet(2_000).then(() => "full");
    if ((await Promise.race([drained, gaveUp])) === "full") break;
  }
  return written;
}

/** Turns of the event loop without anything happening that would wake the socket. */
async function quiet(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}
