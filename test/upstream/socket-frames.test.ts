/** Frames of upstream's that are no events: a malformed answer, which before output is a failed attempt, and after it a cut. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { createUpstream } from "../../src/upstream/codex-client.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { drain, opened, request } from "./harness.ts";

const BODY = new TextEncoder().encode('{"model":"gpt-5.5","input":[]}');
const said = (type: string, more: object = {}) => JSON.stringify({ type, ...more });
const CREATED = said("response.created", { response: { id: "resp_1" } });
const DELTA = said("response.output_text.delta", { delta: "x" });
const COMPLETED = said("response.completed", { response: { id: "resp_1" } });

let frames: readonly string[] = [];
const close = async () => {
  upstream.close();
  await server.stop(true);
};
let server: ReturnType<typeof serve>;
let upstream: ReturnType<typeof createUpstream>;

function serve() {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (asked, itself) => (itself.upgrade(asked) ? undefined : new Response(null, { status: 500 })),
    websocket: {
      message(socket) {
        for (const frame of frames) socket.sendText(frame);
      },
    },
  });
}

beforeEach(() => {
  server = serve();
  const baseUrl = `http://127.0.0.1:${server.port}`;
  upstream = createUpstream({ baseUrl, clock: createManualClock(), dice: systemDice, log: silentLog });
});
afterEach(close);

const attempt = () =>
  upstream.attempt(request({ body: BODY, socket: { key: "c", body: BODY, since: null, warmUp: false } }));

test.each([
  ["at once", ["no json"]],
  ["cut off", ['{"type":"response.outp']],
  ["no object", ['["response.created"]']],
  ["behind the beginning", [CREATED, "<html>"]],
] as const)("before output: the attempt has failed (%s)", async (_, sent) => {
  frames = sent;
  const result = await attempt();
  expect(result).toMatchObject({ kind: "failed", outcome: { kind: "upstream_failed" } });
  expect(JSON.stringify(result)).toContain("Malformed_WebSocket_Event");
});

test("behind output: what came before it is told, then the stream breaks off", async () => {
  frames = [CREATED, DELTA, "no json", COMPLETED];
  const answer = await opened(attempt());
  const told = drain(answer.body).then(
    ({ text }) => text,
    () => "broken off",
  );
  expect((await answer.end).outcome.kind).toBe("cut");
  expect(await told).not.toContain("no json");
});

test("an event whose type nobody can read is one all the same", async () => {
  frames = [CREATED, '{"type":"response novelty"}', DELTA, COMPLETED];
  const answer = await opened(attempt());
  const { text } = await drain(answer.body);
  expect(text).toContain("response novelty");
  expect((await answer.end).outcome.kind).toBe("served");
});
