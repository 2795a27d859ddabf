/**
 * Upstream that thinks for longer than Codex is patient: the silence is bridged with events that mean nothing, over HTTP and over a WebSocket. It
 * waits for real; the two wait side by side.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { inWorld } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";

setDefaultTimeout(180_000);

/** Longer than Rotor stays silent (SILENCE_BRIDGE_MS), shorter than upstream does here. */
const CODEX_PATIENCE_MS = 30_000;
const SILENCE_MS = 40_000;
const OFFLINE = `
[features]
plugins = false
apps = false

[analytics]
enabled = false
`;

clientSuite("codex exec, less patient than upstream is slow", () => {
  for (const [name, socketed] of [
    ["HTTP", false],
    ["a WebSocket", true],
  ] as const) {
    test.concurrent(`over ${name}: one request, one answer, and no word of trouble`, async () => {
      const { codex } = installClients();
      await inWorld(async (world) => {
        const stanza = await world.ctl("connect", "codex", "--print");
        const said = `wire_api = "responses"\nstream_idle_timeout_ms = ${CODEX_PATIENCE_MS}\nsupports_websockets = ${socketed}`;
        const impatient = stanza.replace('wire_api = "responses"', said);
        expect(impatient).not.toBe(stanza);
        world.write(".codex/config.toml", impatient + OFFLINE);
        const order = JSON.stringify({ at: "responses", kind: "pause", point: "middle", delayMs: SILENCE_MS });
        const faults = `${world.upstream.issuer}/__sim/v1/faults`;
        expect((await fetch(faults, { method: "POST", headers: { "x-rotor-sim": "1" }, body: order })).ok).toBe(true);
        const run = await world.run([codex, "exec", "--skip-git-repo-check", "-c", 'model="gpt-5.5"', "say hello"]);
        expect(run.out).toMatch(/^SIM \w+ says: say hello\n$/);
        expect(run.err).not.toMatch(/error|reconnecting|falling back|idle/i);
        const seen = await world.upstream.responses();
        const turns = seen.filter(({ method, body }) => method !== "GET" && body?.generate !== false);
        expect(turns.map(({ status, faults: struck }) => [status, struck])).toEqual([[200, ["pause"]]]);
      });
    });
  }
});
