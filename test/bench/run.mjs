#!/usr/bin/env node
// node run.mjs [--targets a,b] [--suites lat,short,...] [--rounds N] [--accounts N] [--tag NAME] [--quick] [--no-pin] [--list]
import fs from "node:fs";
import path from "node:path";
import { execFile } from "node:child_process";
import { ROOT, sleep, tok, launch, stopAll, freePort, ctl, cpuOf, rssOf, resetHwm, busy, sh, BUN } from "./lib.mjs";
import { socketSuite } from "./sockets.mjs";
import { targets } from "./targets.mjs";
const arg = (k, d) => {
  const i = process.argv.indexOf("--" + k);
  return i < 0 ? d : process.argv[i + 1];
};
const flag = (k) => process.argv.includes("--" + k);
if (flag("list")) {
  for (const [k, t] of Object.entries(targets)) console.log(k.padEnd(22), t.kind.padEnd(10), t.note || "");
  process.exit();
}
const names = arg(
  "targets",
  Object.keys(targets)
    .filter((n) => !targets[n].extra)
    .join(","),
)
  .split(",")
  .filter(Boolean);
for (const n of names) if (!targets[n]) throw new Error("no target " + n);
const suites = arg("suites", "start,lat,short,long,paced,body,socket,failover,pool,mem,slow,abort,size").split(",");
const QUICK = flag("quick"),
  ROUNDS = +arg("rounds", QUICK ? 2 : 5),
  ACC = +arg("accounts", 10),
  PIN = !flag("no-pin");
const OUT = path.join(ROOT, "results", arg("tag", new Date().toISOString().replace(/[:.]/g, "-").slice(0, 19)));
fs.mkdirSync(OUT, { recursive: true });
const rec = fs.createWriteStream(path.join(OUT, "results.jsonl"), { flags: "a" });
const put = (o) => {
  rec.write(JSON.stringify({ t: Date.now(), ...o }) + "\n");
};
const say = (...a) => console.log(new Date().toISOString().slice(11, 19), ...a);
const MAIN_CPU = PIN ? 0 : null,
  TGT_CPU = PIN ? 1 : null;
const bodies = {};
function body(kb) {
  if (bodies[kb]) return bodies[kb];
  const f = path.join(OUT, `body-${kb}.json`);
  const input = [];
  let size = 300;
  let i = 0;
  const txt = 'The quick brown fox reads "src/main.ts" and says:\\n\tok, 12 files changed. '.repeat(26).slice(0, 1900);
  input.push({ type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] });
  while (size < kb * 1024 - (kb > 10 ? 2200 : 400)) {
    input.push(
      i % 2
        ? { type: "message", role: "assistant", content: [{ type: "output_text", text: txt + i }] }
        : { type: "message", role: "user", content: [{ type: "input_text", text: txt + i }] },
    );
    size += 2000;
    i++;
  }
  fs.writeFileSync(f, JSON.stringify({ model: "gpt-5-codex", stream: true, store: false, instructions: "You are Codex.", input }));
  return (bodies[kb] = f);
}

let upPort, up;
async function startUp() {
  upPort = await freePort();
  up = launch(
    "upstream",
    { cmd: [path.join(ROOT, "bin/upstream"), String(upPort)] },
    { cpu: MAIN_CPU, logfile: path.join(OUT, "upstream.log") },
  );
  for (let i = 0; i < 100; i++) {
    try {
      await ctl(upPort);
      return;
    } catch {
      await sleep(20);
    }
  }
  throw new Error("upstream");
}
// TLS in front of the upstream (haproxy), started only when a chosen target has tls: true
let tlsPort;
async function startTls() {
  const pem = path.join(OUT, "tls.pem");
  sh(
    `openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout ${pem}.k -out ${pem}.c 2>/dev/null && cat ${pem}.c ${pem}.k > ${pem}`,
  );
  tlsPort = await freePort();
  fs.writeFileSync(
    pem + ".cfg",
    `global\n  maxconn 8000\n  nbthread 1\ndefaults\n  mode http\n  option http-no-delay\n  http-reuse always\n  timeout connect 5s\n  timeout client 600s\n  timeout server 600s\nfrontend f\n  bind 127.0.0.1:${tlsPort} backlog 4096 ssl crt ${pem} alpn http/1.1\n  default_backend b\nbackend b\n  server s 127.0.0.1:${upPort} pool-max-conn 1000\n`,
  );
  tlsProc = launch("tls", { cmd: ["haproxy", "-db", "-f", pem + ".cfg"] }, { cpu: MAIN_CPU, logfile: path.join(OUT, "tls.log") });
  await sleep(300);
}
let tlsProc;
const up_ = (q) => ctl(upPort, q);
function gen(t, o) {
  const a = ["-p", t.port, "-u", t.spec.path, "-b", o.body || body(0), "-c", o.c, "-n", o.n, "-t", o.t];
  for (const [k, v] of Object.entries(t.headers)) a.push("-H", `${k}: ${v}`);
  a.push("-S");
  if (o.T) a.push("-T");
  if (o.slow) a.push("-s", o.slow);
  if (o.alt) a.push("-A", upPort);
  if (o.warm) a.push("-w", o.warm);
  if (o.raw) a.push("-r", o.raw);
  if (o.e != null) a.push("-e", o.e);
  if (o.g) a.push("-g", o.g);
  const full = PIN
    ? ["taskset", ["-c", "0", path.join(ROOT, "bin/loadgen"), ...a.map(String)]]
    : [path.join(ROOT, "bin/loadgen"), a.map(String)];
  return new Promise((ok, no) =>
    execFile(full[0], full[1], { timeout: (o.t + 60) * 1000 }, (e, so, se) => {
      if (e && !so) return no(new Error(String(e.message).slice(0, 300) + se));
      try {
        ok(JSON.parse(so));
      } catch (x) {
        no(x);
      }
    }),
  );
}

async function startTarget(name, n = ACC) {
  const spec = targets[name];
  const dir = path.join(OUT, "run", `${name}-${Date.now()}`);
  fs.mkdirSync(dir, { recursive: true });
  if (spec.direct) return { name, spec, port: upPort, headers: spec.headers?.({}) || {}, proc: up, dir, startMs: 0, direct: true };
  const port = await freePort();
  const toks = path.join(dir, "toks.json");
  fs.writeFileSync(toks, JSON.stringify(Array.from({ length: n }, (_, i) => tok(i))));
  const c = {
    port: String(port),
    upPort: spec.tls ? tlsPort : upPort,
    up: spec.tls ? `https://127.0.0.1:${tlsPort}` : `http://127.0.0.1:${upPort}`,
    n,
    dir,
    toks,
  };
  await spec.setup?.(c);
  const st = spec.start(c);
  for (const k of Object.keys(st.env || {})) st.env[k] = String(st.env[k]);
  const t = { name, spec, port, headers: spec.headers?.(c) || {}, dir, n };
  const t0 = performance.now();
  t.proc = launch(name, st, { cpu: TGT_CPU, logfile: path.join(dir, "log") });
  await up_("events=20&wpe=64&delta=24&interval_us=0&fail_next=0&unblock=all&reset_s=3600");
  for (let k = 0; ; k++) {
    if (t.proc.exited || performance.now() - t0 > 30000) {
      const l = fs.readFileSync(t.proc.log, "utf8").slice(-600);
      await t.proc.stop();
      throw new Error(`${name} did not start: ${l}`);
    }
    const ok = await tryPost(t);
    if (ok === 200) break;
    t.lastTry = ok;
    await sleep(2);
  }
  t.startMs = performance.now() - t0;
  return t;
}
async function tryPost(t) {
  const http = await import("node:http");
  return new Promise((ok) => {
    const b = fs.readFileSync(body(0));
    const r = http.request(
      {
        host: "127.0.0.1",
        port: t.port,
        path: t.spec.path,
        method: "POST",
        agent: false,
        headers: { "content-type": "application/json", accept: "text/event-stream", "content-length": b.length, ...t.headers },
      },
      (res) => {
        let s = "";
        res.on("data", (d) => {
          s += d;
          if (s.includes("data:")) {
            ok(res.statusCode);
          }
        });
        res.on("end", () => ok(res.statusCode === 200 && !s.includes("data:") ? "empty" : res.statusCode));
        res.on("error", () => ok(0));
      },
    );
    r.on("error", (e) => ok(e.code));
    r.setTimeout(5000, () => {
      r.destroy();
      ok("timeout");
    });
    r.end(b);
  });
}

/** `count` streams, 25 at a time, each left after its first event. */
async function abortMany(t, count) {
  const http = await import("node:http");
  const b = fs.readFileSync(body(0));
  const one = () =>
    new Promise((ok) => {
      const r = http.request(
        {
          host: "127.0.0.1",
          port: t.port,
          path: t.spec.path,
          method: "POST",
          agent: false,
          headers: { "content-type": "application/json", accept: "text/event-stream", "content-length": b.length, ...t.headers },
        },
        (res) => {
          res.once("data", () => {
            r.destroy();
            ok();
          });
          res.on("error", ok);
        },
      );
      r.on("error", ok);
      r.end(b);
    });
  let left = count;
  await Promise.all(
    Array.from({ length: 25 }, async () => {
      while (left-- > 0) await one();
    }),
  );
}

let current = [],
  pausedSet = new Set();
const freeze = (t, on) => {
  if (t.direct) return;
  if (on && !pausedSet.has(t)) {
    t.proc.sig("SIGSTOP");
    pausedSet.add(t);
  } else if (!on && pausedSet.has(t)) {
    t.proc.sig("SIGCONT");
    pausedSet.delete(t);
  }
};
async function settle(t, max = 3000, thr = 0.06) {
  if (t.direct) return 0;
  const t0 = Date.now();
  for (;;) {
    const p = t.proc.pids();
    const a = cpuOf(p);
    await sleep(150);
    const b = cpuOf(p);
    if ((b - a) / 0.15 < thr + 0.01 || Date.now() - t0 > max) return Date.now() - t0;
  }
}
// One measurement: everybody else frozen, the target at rest before and after; CPU of the after-work counts too.
// Waits (bounded) until the rest of the machine is quiet; a measurement that was disturbed is repeated once and the quieter kept.
const NOISE = +arg("noise", 0.4),
  GATE = +arg("gate-ms", 6000);
async function quiet() {
  const t0 = Date.now();
  for (;;) {
    const b = busy();
    await sleep(200);
    const f = (busy() - b) / 0.2;
    if (f < NOISE || Date.now() - t0 > GATE) return f;
  }
}
async function measure(t, suite, label, o, extra = {}) {
  const a = await measure1(t, suite, label, o, extra, 0);
  if (a.foreign <= NOISE + 0.2 || o.once || QUICK) {
    put(a);
    return a;
  }
  const b = await measure1(t, suite, label, o, extra, 1);
  const r = b.foreign < a.foreign ? b : a;
  put(r);
  return r;
}
async function measure1(t, suite, label, o, extra, attempt) {
  for (const x of current) freeze(x, x !== t);
  await settle(t, 2000);
  const before = QUICK ? 0 : await quiet();
  await up_("zero=1");
  const pids = t.proc.pids();
  if (o.hwm && !t.direct) resetHwm(pids);
  const me = () => cpuOf([process.pid, up.pid, ...(tlsProc ? [tlsProc.pid] : [])]);
  const b0 = busy(),
    m0 = me(),
    c0 = cpuOf(pids),
    w0 = Date.now();
  let g;
  try {
    g = await gen(t, o);
  } catch (e) {
    g = { error: String(e.message).slice(0, 300) };
  }
  const c1 = cpuOf(pids),
    b1 = busy(),
    m1 = me(),
    w1 = Date.now();
  const st = await settle(t, o.settle ?? 4000);
  const c2 = cpuOf(pids);
  const mem = rssOf(t.proc.pids());
  const s = await up_();
  const r = {
    suite,
    target: t.name,
    label,
    ...extra,
    attempt,
    before: +before.toFixed(2),
    g,
    cpu: +(c2 - c0).toFixed(3),
    cpu_during: +(c1 - c0).toFixed(3),
    settle_ms: st,
    wall: (w1 - w0) / 1000,
    foreign: +Math.max(0, (b1 - b0 - (m1 - m0) - (t.direct ? 0 : c1 - c0) - (g.cpu || 0)) / ((w1 - w0) / 1000)).toFixed(2),
    mem,
    up: s,
    n: t.n,
  };
  const x = g.error
    ? g.error
    : `ok ${g.ok} err ${g.err} ${g.streams_s}/s ev/s ${g.events_s} ttfe p50 ${g.ttfe_us.p50} p99 ${g.ttfe_us.p99}us cpu ${r.cpu} (${r.cpu_during})${g.ev_delay_us ? ` evdelay p50 ${g.ev_delay_us.p50} p99 ${g.ev_delay_us.p99}` : ""}${g.odd_ttfe_us ? ` FAIL p50 ${g.odd_ttfe_us.p50}` : ""} rss ${mem.rss.toFixed(0)} foreign ${r.foreign} ${g.err ? JSON.stringify(g.status) + (g.errbody || "").slice(0, 160) : ""}`;
  say(suite, label, t.name.padEnd(20), x);
  return r;
}
async function withAll(list, fn, n) {
  current = [];
  const ok = [];
  for (const name of list) {
    try {
      const t = await startTarget(name, n);
      current.push(t);
      freeze(t, true);
      ok.push(t);
    } catch (e) {
      say("SKIP", name, e.message.slice(0, 400));
      put({ suite: "error", target: name, error: e.message });
    }
  }
  try {
    await fn(ok);
  } finally {
    for (const t of ok) {
      freeze(t, false);
      if (!t.direct) await t.proc.stop();
    }
    current = [];
    pausedSet.clear();
  }
}
const rot = (a, k) => a.map((_, i) => a[(i + k) % a.length]);
const D = (full, quick) => (QUICK ? quick : full);

const S = {
  async start() {
    for (let r = 0; r < Math.min(ROUNDS, 5); r++)
      for (const name of rot(names, r)) {
        if (targets[name].direct) continue;
        try {
          const t = await startTarget(name);
          await sleep(r ? 0 : 2500);
          const mem = rssOf(t.proc.pids());
          put({ suite: "start", target: name, round: r, ms: t.startMs, mem, procs: t.proc.pids().length });
          say("start", name.padEnd(20), t.startMs.toFixed(0), "ms", mem.rss.toFixed(1), "MB");
          await t.proc.stop();
        } catch (e) {
          say("start FAIL", name, e.message.slice(0, 300));
          put({ suite: "error", target: name, error: e.message });
        }
      }
  },
  async main() {
    // lat + short + long + paced + body, all targets up, interleaved
    await withAll(names, async (ts) => {
      const want = (s) => suites.includes(s);
      for (let r = 0; r < ROUNDS; r++)
        for (const [suite, label, ctlq, o] of [
          ["lat", "c1", "events=20&wpe=64", { c: 1, n: D(2000, 100), t: D(3, 10), warm: 20, e: 20 }],
          ["short", "c1", "events=20&wpe=64", { c: 1, n: 1e7, t: D(1.5, 1), e: 20 }],
          ["short", "c16", "events=20&wpe=64", { c: 16, n: 1e7, t: D(2, 1), e: 20 }],
          ["short", "c64", "events=20&wpe=64", { c: 64, n: 1e7, t: D(2, 1), e: 20 }],
          ["short", "c256", "events=20&wpe=64", { c: 256, n: 1e7, t: D(2, 1), e: 20 }],
          ["long", "c16", "events=2000&wpe=8", { c: 16, n: 1e7, t: D(3, 2), e: 2000 }],
          ["paced", "c64", "events=200&wpe=1&delta=40&interval_us=10000", { c: 64, n: 1e7, t: D(3, 2), T: 1 }],
          ["paced", "c256", "events=200&wpe=1&delta=40&interval_us=10000", { c: 256, n: 1e7, t: D(3, 2), T: 1 }],
          ["body", "2KB", "events=20&wpe=64", { c: 1, n: D(60, 20), t: 8, e: 20, warm: 3, kb: 2 }],
          ["body", "200KB", "events=20&wpe=64", { c: 1, n: D(60, 20), t: 8, e: 20, warm: 3, kb: 200 }],
          ["body", "2MB", "events=20&wpe=64", { c: 1, n: D(20, 8), t: 8, e: 20, warm: 2, kb: 2048 }],
          ["body", "5MB", "events=20&wpe=64", { c: 1, n: D(10, 4), t: 8, e: 20, warm: 1, kb: 5120 }],
        ]) {
          if (!want(suite)) continue;
          await up_((ctlq.includes("interval") ? "" : "interval_us=0&delta=24&") + ctlq);
          for (const t of rot(ts, r)) {
            if (o.kb) o.body = body(o.kb);
            await measure(t, suite, label, o, { round: r });
          }
        }
    });
  },
  async failover() {
    const list = names.filter((n) => targets[n].pool || (n === "direct" && false));
    for (let r = 0; r < ROUNDS; r++)
      for (const name of rot(list, r)) {
        let t;
        try {
          t = await startTarget(name, 16);
          current = [t];
          await up_("events=20&wpe=64&delta=24&interval_us=0&reset_s=3600&fail_next=0");
          await measure(t, "failover", "n16", { c: 1, n: 16, warm: 40, t: 20, alt: 1, g: 20, once: 1 }, { round: r });
        } catch (e) {
          say("failover", name, e.message.slice(0, 200));
        } finally {
          await t?.proc.stop();
          current = [];
          await up_("fail_next=0");
        }
      }
  },
  async pool() {
    for (const n of [10, 100, 1000])
      for (let r = 0; r < Math.min(ROUNDS, 3); r++)
        for (const name of names.filter((x) => targets[x].pool)) {
          let t;
          try {
            t = await startTarget(name, n);
            current = [t];
            await up_("events=20&wpe=64&delta=24&interval_us=0");
            await measure(t, "pool", "lat", { c: 1, n: D(150, 60), t: 12, warm: 20, e: 20 }, { round: r, pool: n, startMs: t.startMs });
            await measure(t, "pool", "c16", { c: 16, n: 1e7, t: D(3, 1), e: 20 }, { round: r, pool: n });
          } catch (e) {
            say("pool", n, name, e.message.slice(0, 200));
            put({ suite: "error", target: name, error: e.message, pool: n });
          } finally {
            await t?.proc.stop();
            current = [];
          }
        }
  },
  async mem() {
    for (const name of names) {
      if (targets[name].direct) continue;
      let t;
      try {
        t = await startTarget(name);
        current = [t];
        await sleep(3000);
        const idle = rssOf(t.proc.pids());
        await up_("events=20&wpe=64&delta=24&interval_us=0");
        const r = await measure(t, "mem", "10k", { c: 16, n: D(10000, 2000), t: D(60, 20), hwm: 1, settle: 8000 }, { idle });
        await sleep(2000);
        const after = rssOf(t.proc.pids());
        put({ suite: "mem", target: name, label: "after", idle, after, peak: r.mem.hwm, served: r.g.ok });
        say(
          "mem",
          name.padEnd(20),
          "idle",
          idle.rss.toFixed(0),
          "peak",
          r.mem.hwm.toFixed(0),
          "after",
          after.rss.toFixed(0),
          "served",
          r.g.ok,
        );
        await up_("events=2000&wpe=8");
        await measure(t, "mem", "c256long", { c: 256, n: 1e7, t: D(6, 3), hwm: 1 }, { idle });
      } catch (e) {
        say("mem", name, e.message.slice(0, 200));
      } finally {
        await t?.proc.stop();
        current = [];
      }
    }
  },
  async slow() {
    for (const name of names) {
      let t;
      try {
        t = await startTarget(name);
        current = [t];
        await sleep(1000);
        // The first requests of any process load code and grow its heap; what is asked here is what a stalled reader adds to that.
        await up_("events=20&wpe=64&delta=24&interval_us=0");
        await gen(t, { c: 4, n: 2000, t: 10, e: 20 });
        await sleep(1000);
        await up_("events=200000&wpe=16&delta=800&interval_us=0");
        await up_("zero=1");
        const before = rssOf(t.proc.pids());
        if (!t.direct) resetHwm(t.proc.pids());
        const c0 = cpuOf(t.proc.pids());
        const rate = 4e6,
          secs = D(12, 6);
        const g = await gen(t, { c: 1, n: 1, t: secs, slow: rate });
        const m = rssOf(t.proc.pids()),
          s = await up_();
        const cpu = cpuOf(t.proc.pids()) - c0;
        await sleep(1500);
        const s2 = await up_();
        const later = rssOf(t.proc.pids());
        put({
          suite: "slow",
          target: name,
          before,
          after: m,
          later,
          cpu,
          client: g.bytes,
          sent: s.bytes,
          aborted: s2.aborted,
          done: s2.done,
          g,
        });
        say(
          "slow",
          name.padEnd(20),
          "rss",
          before.rss.toFixed(0),
          "-> peak",
          m.hwm.toFixed(0),
          "MB; upstream sent",
          (s.bytes / 1e6).toFixed(1),
          "client read",
          (g.bytes / 1e6).toFixed(1),
          "cpu",
          cpu.toFixed(2),
          "abort seen",
          s2.aborted,
        );
      } catch (e) {
        say("slow", name, e.message.slice(0, 200));
      } finally {
        if (t && !t.direct) await t.proc.stop();
        current = [];
        await up_("events=20&wpe=64&delta=24");
      }
    }
  },
  // Clients that leave mid-stream, 2,000 of them: memory must stay flat and upstream must be let go each time.
  async abort() {
    for (const name of names) {
      if (targets[name].direct) continue;
      let t;
      try {
        t = await startTarget(name);
        current = [t];
        await sleep(2000);
        const idle = rssOf(t.proc.pids());
        await up_("events=100000&wpe=4&delta=200&interval_us=2000");
        await up_("zero=1");
        const marks = [];
        for (let k = 0; k < 4; k++) {
          await abortMany(t, D(500, 100));
          await sleep(1000);
          marks.push(+rssOf(t.proc.pids()).rss.toFixed(1));
        }
        const s = await up_();
        put({ suite: "abort", target: name, idle, marks, aborted: s.aborted, posts: s.posts, open: s.open });
        say(
          "abort",
          name.padEnd(20),
          "idle",
          idle.rss.toFixed(0),
          "MB; after each quarter",
          marks.join(" "),
          "; upstream let go",
          s.aborted,
          "of",
          s.posts,
        );
      } catch (e) {
        say("abort", name, e.message.slice(0, 200));
      } finally {
        await t?.proc.stop();
        current = [];
        await up_("events=20&wpe=64&delta=24&interval_us=0");
      }
    }
  },
  async socket() {
    const list = names.filter((n) => targets[n].command).map((n) => ({ name: n, command: targets[n].command }));
    if (list.length === 0) return;
    const cpus = { target: TGT_CPU, load: MAIN_CPU };
    await socketSuite({ targets: list, out: OUT, rounds: ROUNDS, seconds: D(3, 1), warm: D(8, 2), accounts: ACC, cpus, put, say });
  },
  async size() {
    for (const name of names) {
      const p = (targets[name].install || []).filter((x) => fs.existsSync(x));
      if (!p.length) continue;
      const kb = +sh(`du -skcL ${p.map((x) => `'${x}'`).join(" ")} | tail -1 | cut -f1`);
      const files = +sh(`find -L ${p.map((x) => `'${x}'`).join(" ")} -type f | wc -l`);
      put({ suite: "size", target: name, mb: kb / 1024, files, paths: p });
      say("size", name.padEnd(20), (kb / 1024).toFixed(1), "MB", files, "files");
    }
  },
};
for (const s of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(s, async () => {
    await stopAll();
    process.exit(130);
  });
try {
  put({
    suite: "meta",
    names,
    suites,
    ROUNDS,
    ACC,
    PIN,
    node: process.version,
    bun: (() => {
      try {
        return sh(BUN + " --version");
      } catch {
        return "";
      }
    })(),
    cpus: sh("nproc"),
    kernel: sh("uname -r"),
    netns: sh('ls -la /proc/self/ns/net | sed "s/.*-> //"'),
  });
  await startUp();
  body(0);
  if (names.some((n) => targets[n].tls)) await startTls();
  const order = ["size", "start", "main", "socket", "failover", "pool", "slow", "abort", "mem"];
  for (const s of order) {
    const on = s === "main" ? ["lat", "short", "long", "paced", "body"].some((x) => suites.includes(x)) : suites.includes(s);
    if (!on) continue;
    say("== suite", s);
    await S[s]();
  }
} finally {
  await stopAll();
  rec.end();
  say("results in", OUT);
}
