// The WebSocket suite: what a turn and an event cost the target, by how the client asks and how upstream is asked. `npm run bench -- --suites socket`.
// node sockets.mjs alone measures ROTOR_BIN, or the sources in the folders that are named: node sockets.mjs DIR DIR
import { execFile, execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { BUN, cpuOf, freePort, launch, median, ROOT, rssOf, sleep, stopAll } from "./lib.mjs";
import { rotorEnv, seedRotor } from "./targets.mjs";

/** How the client asks, and what Rotor's setting makes of the way on. */
const WAYS = [
  { name: "http > http", over: "http", transport: "auto" },
  { name: "socket > http", over: "socket", transport: "http" },
  { name: "socket > socket", over: "socket", transport: "auto" },
];
/** Twenty events at once; and as a model writes them. */
const SHAPES = [
  { name: "short", query: "events=20&interval_ms=0", clients: 32, events: 20 },
  { name: "paced", query: "events=200&interval_ms=10", clients: 32, events: 200 },
];

async function startUpstream(out, cpu) {
  const port = await freePort();
  const cmd = [BUN, path.join(ROOT, "src/socket-upstream.ts"), String(port)];
  launch("socket-upstream", { cmd }, { cpu, logfile: path.join(out, "socket-upstream.log") });
  const ask = async (query) => (await fetch(`http://127.0.0.1:${port}/__ctl?${query}`)).json();
  for (let i = 0; i < 200; i++)
    try {
      await ask("");
      return { up: `http://127.0.0.1:${port}`, ask };
    } catch {
      await sleep(25);
    }
  throw new Error("the upstream of the WebSocket suite did not start");
}

/** `command` starts the ctl or, with `daemon`, the daemon; `measured` the one that is measured, if by another command. */
async function startRotor({ command, measured = command, up, out, name, cpu, accounts }) {
  const port = await freePort();
  const dir = path.join(out, "run", `socket-${name}-${Date.now()}`);
  fs.mkdirSync(dir, { recursive: true });
  const c = { port: String(port), up, n: accounts, dir };
  await seedRotor(c, command);
  const [first, ...more] = command;
  // With it the daemon does not start itself anew, and what Bun was told stays.
  const env = measured === command ? rotorEnv(c) : { ...rotorEnv(c), BUN_CONFIG_MAX_HTTP_REQUESTS: "16384" };
  const proc = launch(name, { cmd: [...measured, "daemon", "--port", String(port)], env }, { cpu, logfile: path.join(dir, "log") });
  const isReady = () =>
    fetch(`http://127.0.0.1:${port}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  for (let i = 0; i < 400 && !(await isReady()); i++) await sleep(25);
  const set = (value) => execFileSync(first, [...more, "setting", "set", "upstream_transport", value, "--no-start"], { env });
  const key = fs.readFileSync(path.join(dir, "key"), "utf8");
  return { name, proc, set, key, url: `http://127.0.0.1:${port}/backend-api/codex/responses` };
}

function load(t, over, clients, seconds, cpu) {
  const argv = [BUN, path.join(ROOT, "src/socket-load.ts"), t.url, t.key, over, String(clients), String(seconds)];
  const full = cpu === null ? argv : ["taskset", "-c", String(cpu), ...argv];
  return new Promise((resolve, reject) =>
    execFile(full[0], full.slice(1), { timeout: (seconds + 60) * 1000 }, (error, out, said) => {
      if (said) console.error(said.slice(0, 600));
      if (error) reject(error);
      else resolve(JSON.parse(out));
    }),
  );
}

export async function socketSuite({ targets, out, rounds, seconds, warm, accounts, cpus, put, say, shapes = SHAPES, ways = WAYS }) {
  const { up, ask } = await startUpstream(out, cpus.load);
  const started = [];
  for (const { name, command, measured } of targets)
    started.push(await startRotor({ command, measured, up, out, name, cpu: cpus.target, accounts }));
  const freeze = (running) => {
    for (const t of started) t.proc.sig(t === running ? "SIGCONT" : "SIGSTOP");
  };
  const results = new Map();
  for (const way of ways) {
    await ask("events=20&interval_ms=0");
    for (const t of started) {
      freeze(t);
      t.set(way.transport);
      await load(t, way.over, 32, warm, cpus.load);
    }
    for (const shape of shapes) {
      await ask(shape.query);
      for (let round = 0; round < rounds; round++)
        for (let k = 0; k < started.length; k++) {
          const t = started[(k + round) % started.length];
          freeze(t);
          await sleep(500);
          const before = cpuOf(t.proc.pids());
          const g = await load(t, way.over, shape.clients, seconds, cpus.load);
          await sleep(500);
          const us = ((cpuOf(t.proc.pids()) - before) / Math.max(1, g.turns)) * 1e6;
          const r = { suite: "socket", target: t.name, way: way.name, label: shape.name, round, us, us_event: us / shape.events, g };
          put({ ...r, mem: rssOf(t.proc.pids()) });
          const id = `${way.name.padEnd(16)} ${shape.name.padEnd(6)} ${t.name}`;
          results.set(id, [...(results.get(id) ?? []), r]);
          if (g.failures > 0) say("socket", id, "FAILURES", g.failures);
        }
    }
  }
  for (const [id, all] of results) {
    const m = (of) => median(all.map(of));
    const first = `first ${m((r) => r.g.first_us.p50).toFixed(0)} µs`;
    say("socket", id.padEnd(40), `turn ${m((r) => r.us).toFixed(0)} µs  event ${m((r) => r.us_event).toFixed(1)} µs  ${first}  turns ${m((r) => r.g.turns)}`);
  }
  for (const t of started) {
    t.proc.sig("SIGCONT");
    await t.proc.stop();
  }
}

if (import.meta.filename === process.argv[1]) {
  const dirs = process.argv.slice(2);
  const extra = process.env.BUN_ARGS?.split(" ") ?? [];
  const targets =
    dirs.length === 0
      ? [{ name: "rotor", command: [process.env.ROTOR_BIN] }]
      : dirs.map((dir) => {
          const main = path.join(dir, "src/main.ts");
          const measured = extra.length === 0 ? undefined : [BUN, ...extra, main];
          return { name: path.basename(dir), command: [BUN, main], measured };
        });
  const out = path.join(ROOT, "results", "sockets");
  fs.mkdirSync(out, { recursive: true });
  const number = (name, usual) => Number(process.env[name] ?? usual);
  const named = (all, list) => (list === undefined ? all : all.filter(({ name }) => list.split(",").includes(name)));
  try {
    await socketSuite({
      targets,
      out,
      rounds: number("ROUNDS", 3),
      seconds: number("SECONDS", 3),
      warm: number("WARM", 8),
      accounts: 10,
      cpus: { target: 1, load: 0 },
      put: () => {},
      say: console.log,
      shapes: named(SHAPES, process.env.SHAPES),
      ways: named(WAYS, process.env.WAYS),
    });
  } finally {
    await stopAll();
  }
}
