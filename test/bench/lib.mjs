import fs from "node:fs";
import path from "node:path";
import net from "node:net";
import { spawn, execFileSync } from "node:child_process";
export const ROOT = path.dirname(new URL(import.meta.url).pathname);
export const BUN = process.env.BENCH_BUN || "bun";
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const b64 = (o) => Buffer.from(JSON.stringify(o)).toString("base64url");
const FAR = 2208988800; // 2040: fake tokens never need a refresh
export const acctId = (i) => `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
export const email = (i) => `u${i}@example.test`;
// Unsigned fake ChatGPT JWT; the upstream knows the account by the digits at the end.
export const tok = (i) =>
  `${b64({ alg: "none", typ: "JWT" })}.${b64({ exp: FAR, iat: 1790000000, email: email(i), "https://api.openai.com/auth": { chatgpt_account_id: acctId(i), chatgpt_plan_type: "plus", chatgpt_user_id: `user-${i}`, user_id: `user-${i}` }, "https://api.openai.com/profile": { email: email(i) } })}.sigacct${i}`;
export const FAR_MS = FAR * 1000;

// ---- /proc -------------------------------------------------------------------------------------
const HZ = 100;
export function tree(root) {
  const kids = new Map();
  for (const d of fs.readdirSync("/proc")) {
    if (d.charCodeAt(0) > 57) continue;
    try {
      const s = fs.readFileSync(`/proc/${d}/stat`, "latin1");
      const f = s.slice(s.lastIndexOf(")") + 2).split(" ");
      const pp = +f[1];
      if (!kids.has(pp)) kids.set(pp, []);
      kids.get(pp).push(+d);
    } catch {}
  }
  const out = [],
    st = [root];
  while (st.length) {
    const p = st.pop();
    out.push(p);
    for (const k of kids.get(p) || []) st.push(k);
  }
  return out;
}
export function cpuOf(pids) {
  let t = 0;
  for (const p of pids)
    try {
      const s = fs.readFileSync(`/proc/${p}/stat`, "latin1");
      const f = s.slice(s.lastIndexOf(")") + 2).split(" ");
      t += +f[11] + +f[12] + +f[13] + +f[14];
    } catch {}
  return t / HZ;
}
export function rssOf(pids) {
  let rss = 0,
    anon = 0,
    hwm = 0;
  for (const p of pids)
    try {
      const s = fs.readFileSync(`/proc/${p}/status`, "latin1");
      const g = (k) => +(s.match(new RegExp(k + ":\\s+(\\d+)")) || [0, 0])[1];
      rss += g("VmRSS");
      anon += g("RssAnon");
      hwm += g("VmHWM");
    } catch {}
  return { rss: rss / 1024, anon: anon / 1024, hwm: hwm / 1024 };
}
export function resetHwm(pids) {
  for (const p of pids)
    try {
      fs.writeFileSync(`/proc/${p}/clear_refs`, "5");
    } catch {}
}
export function busy() {
  const f = fs.readFileSync("/proc/stat", "latin1").split("\n")[0].split(/\s+/).slice(1).map(Number);
  return (f[0] + f[1] + f[2] + f[5] + f[6] + f[7]) / HZ;
}

// ---- processes -----------------------------------------------------------------------------------
export class Proc {
  constructor(name, child, log) {
    this.name = name;
    this.child = child;
    this.pid = child.pid;
    this.log = log;
    this.exited = false;
    child.on("exit", (c, s) => {
      this.exited = true;
      this.code = c ?? s;
    });
  }
  pids() {
    return tree(this.pid);
  }
  sig(s) {
    for (const p of this.pids())
      try {
        process.kill(p, s);
      } catch {}
  }
  async stop() {
    if (this.exited) return;
    const ps = this.pids();
    this.sig("SIGCONT");
    for (const p of ps)
      try {
        process.kill(p, "SIGTERM");
      } catch {}
    for (let i = 0; i < 30 && !this.exited; i++) await sleep(50);
    for (const p of ps)
      try {
        process.kill(p, "SIGKILL");
      } catch {}
    for (let i = 0; i < 40 && !this.exited; i++) await sleep(25);
  }
}
const live = new Set();
export function launch(name, { cmd, env = {}, cwd }, { cpu, logfile }) {
  const log = fs.openSync(logfile, "a");
  const argv = cpu == null ? cmd : ["taskset", "-c", String(cpu), ...cmd];
  const child = spawn(argv[0], argv.slice(1), {
    cwd: cwd || path.dirname(logfile),
    env: { PATH: process.env.PATH, LANG: "C.UTF-8", ...env },
    stdio: ["ignore", log, log],
  });
  fs.closeSync(log);
  const p = new Proc(name, child, logfile);
  live.add(p);
  return p;
}
export async function stopAll() {
  for (const p of live) await p.stop();
}
export const freePort = () =>
  new Promise((r) => {
    const s = net.createServer();
    s.listen(0, "127.0.0.1", () => {
      const p = s.address().port;
      s.close(() => r(p));
    });
  });
export function ctl(port, q = "") {
  return new Promise((ok, no) => {
    const s = net.connect(port, "127.0.0.1");
    let b = "";
    s.on("data", (d) => {
      b += d;
      const i = b.indexOf("\r\n\r\n");
      if (i > 0 && b.endsWith("}\n")) {
        s.destroy();
        ok(JSON.parse(b.slice(i + 4)));
      }
    });
    s.on("error", no);
    s.write(`GET /__ctl?${q} HTTP/1.1\r\nHost: x\r\n\r\n`);
  });
}
export function sh(cmd) {
  return execFileSync("sh", ["-c", cmd], { encoding: "utf8" }).trim();
}
export const median = (a) => {
  const b = a.filter((x) => x != null && Number.isFinite(x)).sort((x, y) => x - y);
  if (!b.length) return null;
  const m = b.length >> 1;
  return b.length % 2 ? b[m] : (b[m - 1] + b[m]) / 2;
};
