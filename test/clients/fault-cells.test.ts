/**
 * Cells of the fault matrix with the real clients: what test/daemon/fault-matrix.ts says of a double must be so for the program that it stands
 * for. The same rows, the same letters; here the program prints it.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { FAULT_MATRIX } from "../daemon/fault-matrix.ts";
import { orderFaults } from "../daemon/support/matrix-cell.ts";
import type { Column, MatrixRow, Spread } from "../daemon/support/matrix-rows.ts";
import { listExchanges, nextAccount } from "./exchanges.ts";
import { inWorld, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import type { Run } from "./processes.ts";
import { withProgram } from "./sdk-world.ts";
import type { SeenRequest } from "./upstream.ts";

setDefaultTimeout(120_000);

const PROMPT = "say something long enough to be broken in its middle";
const CODEX_OFFLINE = `
[features]
plugins = false
apps = false

[analytics]
enabled = false
`;
const OPENCODE_OFFLINE = {
  OPENCODE_DISABLE_MODELS_FETCH: "1",
  OPENCODE_DISABLE_AUTOUPDATE: "1",
  OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
};

interface RealCell {
  readonly row: string;
  readonly spread: Spread;
  readonly column: Column;
  /** What its user reads. */
  readonly shows: RegExp;
}

const cell = (column: Column, row: string, spread: Spread, shows: RegExp): RealCell => ({ row, spread, column, shows });

const ANSWER = /SIM \w+ says/;
const AT_CAPACITY = /Selected model is at capacity/;
const OUT = /hit your usage limit/i;

const CELLS: readonly RealCell[] = [
  cell("codexHttp", "rate_limit", "once", ANSWER),
  cell("codexHttp", "failed_slow_down, opening", "always", AT_CAPACITY),
  cell("codexHttp", "cut, middle", "once", ANSWER),
  cell("codexHttp", "invalid_request", "always", /Invalid value for 'input'/),
  cell("codexHttp", "gzip", "once", ANSWER),
  cell("codexSocket", "usage_limit_error_code", "always", OUT),
  cell("codexSocket", "slow_down", "always", AT_CAPACITY),
  cell("codexSocket", "error_event, middle", "once", ANSWER),
  cell("codexSocket", "close_frame, end", "once", ANSWER),
  cell("codexSocket", "conflict", "once", ANSWER),
  cell("openCode", "failed_context_length, opening", "always", /exceeds the context window/),
  cell("openCode", "invalid_request", "always", /Invalid value for 'input'/),
  cell("sdkStream", "failed_invalid_prompt, opening", "always", /BadRequestError.*invalid_prompt/),
  cell("sdkWhole", "cut, middle", "once", ANSWER),
];

for (const { row: name, spread, column, shows } of CELLS) {
  clientSuite(`${column}: ${name}, ${spread}`, () => {
    test("the real client has of it what the matrix says", async () => {
      const row = FAULT_MATRIX.find((one) => one.name === name)!;
      const [, requests, tried] = / (\d+) (\w*)$/.exec(row[spread][column]!)!;
      await PLAYERS[column]!(row, spread, async (world, first, run) => {
        expect(run.out + run.err).toMatch(shows);
        const turns = (await world.upstream.settled(isTurn)).filter(isTurn);
        const letters = [...new Set([first, ...turns.map(({ account }) => account!)])];
        expect(turns.map(({ account }) => "ABCDEF"[letters.indexOf(account!)]).join("")).toBe(tried!);
        // OpenCode asks for a title of its own accord; Codex warms its socket up.
        if (column === "openCode") return;
        expect((await listExchanges(world)).length - (column === "codexSocket" ? 1 : 0)).toBe(Number(requests));
      });
    });
  });
}

/** What was asked of the model: no handshake, no warm-up, and of OpenCode's what offers tools. */
function isTurn({ method, body, headers }: SeenRequest): boolean {
  if (method === "GET" || body?.generate === false) return false;
  const isOpenCode = headers.some(([name, value]) => name === "user-agent" && value.startsWith("opencode"));
  return !isOpenCode || (Array.isArray(body?.tools) && body.tools.length > 0);
}

type Check = (world: World, first: string, run: Run) => Promise<void>;
type Player = (row: MatrixRow, spread: Spread, check: Check) => Promise<void>;

const PLAYERS: Partial<Record<Column, Player>> = {
  codexHttp: (row, spread, check) => playCodex(row, spread, check, false),
  codexSocket: (row, spread, check) => playCodex(row, spread, check, true),
  openCode: playOpenCode,
  sdkStream: (row, spread, check) => playSdk(row, spread, check, "stream"),
  sdkWhole: (row, spread, check) => playSdk(row, spread, check, "whole"),
};

function playCodex(row: MatrixRow, spread: Spread, check: Check, socketed: boolean): Promise<void> {
  const { codex } = installClients();
  return inWorld(async (world) => {
    const stanza = await world.ctl("connect", "codex", "--print");
    const sockets = 'wire_api = "responses"\nsupports_websockets = true';
    world.write(
      ".codex/config.toml",
      (socketed ? stanza.replace('wire_api = "responses"', sockets) : stanza) + CODEX_OFFLINE,
    );
    const first = await order(world, row, spread, socketed);
    await check(
      world,
      first,
      await world.run([codex, "exec", "--skip-git-repo-check", "-c", 'model="gpt-5.5"', PROMPT]),
    );
  });
}

function playOpenCode(row: MatrixRow, spread: Spread, check: Check): Promise<void> {
  const { opencode } = installClients();
  return inWorld(async (world) => {
    world.write(".config/opencode/opencode.json", await world.ctl("connect", "opencode", "--print"));
    const first = await order(world, row, spread, false);
    await check(world, first, await world.run([opencode, "run", PROMPT], { env: OPENCODE_OFFLINE }));
  });
}

function playSdk(row: MatrixRow, spread: Spread, check: Check, way: string): Promise<void> {
  return withProgram("node", "fault-cell.mjs", async (world, steps) => {
    const first = await order(world, row, spread, false);
    const [told] = await steps(way);
    await check(world, first, { out: JSON.stringify(told), err: "", exit: 0 });
  });
}

/** The row's faults, for accounts of this world: A is asked next, the others after it. */
async function order(world: World, row: MatrixRow, spread: Spread, socketed: boolean): Promise<string> {
  // Slow enough that the beginning is with the client before the end comes.
  await world.upstream.pace({ deltas: 20, delayMs: 10 });
  const first = await nextAccount(world);
  const { accounts } = await world.ctlJson<{ accounts: { alias: string }[] }>("account", "list");
  const [second, third] = accounts.map(({ alias }) => alias).filter((alias) => alias !== first);
  const aliases = { A: first, B: second!, C: third! };
  const faults: object[] = [];
  orderFaults(row, spread, ({ on = "A", ...fault }) => {
    // The warm-up of a socket is a request of its own, on A.
    const skip = socketed && on === "A" && !row.name.includes(",") ? { skip: 1 } : {};
    faults.push({ ...fault, ...skip, account: aliases[on] });
  });
  for (const fault of faults) {
    const body = JSON.stringify(fault);
    const url = `${world.upstream.issuer}/__sim/v1/faults`;
    expect((await fetch(url, { method: "POST", headers: { "x-rotor-sim": "1" }, body })).ok).toBe(true);
  }
  return first;
}
