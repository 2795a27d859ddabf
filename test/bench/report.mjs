#!/usr/bin/env node
// node report.mjs results/TAG [more dirs]  -> markdown tables. Each cell: median over the quieter rounds (see keep()).
import fs from "node:fs";
import path from "node:path";
import { median } from "./lib.mjs";
import { targets } from "./targets.mjs";
const rows = process.argv.slice(2).flatMap((d) =>
  fs
    .readFileSync(path.join(d, "results.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((l) => ({ _d: d, ...JSON.parse(l) })),
);
const names = Object.keys(targets).filter((n) => rows.some((r) => r.target === n));
const sel = (suite, label, target, f = () => true) =>
  rows.filter((r) => r.suite === suite && r.target === target && (label == null || r.label === label) && f(r) && !(r.g && r.g.error));
// rounds with less than 0.4 core of foreign CPU; when there is none, the quietest one
const keep = (rs) => {
  const q = rs.filter((r) => r.foreign <= 0.4);
  return q.length ? q : [...rs].sort((a, b) => a.foreign - b.foreign).slice(0, 1);
};
const med = (rs, f) => median(keep(rs).map(f));
const N = (x, d = 0) =>
  x == null || !Number.isFinite(x) ? "-" : x >= 1000 && d === 0 ? Math.round(x).toLocaleString("en-US") : x.toFixed(d);
const sig = (x) =>
  x == null || !Number.isFinite(x) ? "-" : x >= 100 ? N(x) : x >= 10 ? x.toFixed(1) : x >= 1 ? x.toFixed(2) : x.toFixed(3);
const table = (h, body) =>
  `| ${h.join(" | ")} |\n|${h.map((_, i) => (i ? "---:" : "---")).join("|")}|\n` +
  body.map((r) => `| ${r.join(" | ")} |`).join("\n") +
  "\n";
const out = [];
const P = (t, s = "") => out.push(`\n### ${t}\n\n${s}`);
const has = (s) => rows.some((r) => r.suite === s);
const cell = {};
for (const n of names)
  cell[n] = {
    p50: med(sel("lat", "c1", n), (r) => r.g.ttfe_us.p50),
    p99: med(sel("lat", "c1", n), (r) => r.g.ttfe_us.p99),
    ...Object.fromEntries(
      ["c1", "c16", "c64", "c256"].flatMap((l) => [
        ["s_" + l, med(sel("short", l, n), (r) => r.g.streams_s)],
        [
          "cpu_" + l,
          med(
            sel("short", l, n).filter((r) => r.g.ok > 20),
            (r) => (r.cpu / r.g.ok) * 1000,
          ),
        ],
        ["err_" + l, sel("short", l, n).reduce((a, r) => a + r.g.err, 0)],
      ]),
    ),
    lev: med(sel("long", "c16", n), (r) => r.g.events_s),
    lcpu: med(sel("long", "c16", n), (r) => (r.cpu / r.g.events) * 1e5),
    ...Object.fromEntries(
      ["c64", "c256"].flatMap((l) => [
        ["p_" + l, med(sel("paced", l, n), (r) => (r.cpu / r.g.events) * 1e5)],
        ["pev_" + l, med(sel("paced", l, n), (r) => r.g.events_s)],
        ["d50_" + l, med(sel("paced", l, n), (r) => r.g.ev_delay_us?.p50)],
        ["d99_" + l, med(sel("paced", l, n), (r) => r.g.ev_delay_us?.p99)],
      ]),
    ),
  };
const d = cell.direct || {},
  g = cell.nginx || {};
// ratio to nginx (or, for times, of what is added over direct) within the same round of the same run, then the median over rounds
const pair = (suite, label, n, f, added) => {
  const at = (t, r) => keep(sel(suite, label, t)).find((x) => x._d === r._d && x.round === r.round);
  return median(
    keep(sel(suite, label, n)).map((r) => {
      const g0 = at("nginx", r),
        d0 = at("direct", r);
      if (!g0 || (added && !d0)) return null;
      return added ? (f(r) - f(d0)) / (f(g0) - f(d0)) : f(r) / f(g0);
    }),
  );
};
const spread = (suite, label, n, f) => {
  const v = keep(sel(suite, label, n)).map(f);
  return v.length > 1 ? ((Math.max(...v) - Math.min(...v)) / median(v)) * 100 : null;
};
if (has("short") || has("lat"))
  P(
    "0. Ratios to nginx, round by round (median)",
    table(
      [
        "target",
        "added TTFE p50 ×",
        "added TTFE p99 ×",
        "CPU a stream, c=16 ×",
        "CPU a stream, c=64 ×",
        "streams/s c=16 ÷",
        "streams/s c=64 ÷",
        "streams/s c=256 ÷",
        "long events/s ÷",
        "CPU a paced event (c64) ×",
        "body 200KB added ×",
        "body 2MB added ×",
      ],
      names.map((n) => [
        n,
        ...(n === "direct"
          ? ["0", "0"]
          : [sig(pair("lat", "c1", n, (r) => r.g.ttfe_us.p50, true)), sig(pair("lat", "c1", n, (r) => r.g.ttfe_us.p99, true))]),
        ...["c16", "c64"].map((l) => sig(pair("short", l, n, (r) => r.cpu / r.g.ok))),
        ...["c16", "c64", "c256"].map((l) => sig(pair("short", l, n, (r) => r.g.streams_s))),
        sig(pair("long", "c16", n, (r) => r.g.events_s)),
        sig(pair("paced", "c64", n, (r) => r.cpu / r.g.events)),
        ...(n === "direct" ? ["0", "0"] : ["200KB", "2MB"].map((l) => sig(pair("body", l, n, (r) => r.g.ttfe_us.p50, true)))),
      ]),
    ),
  );
if (has("lat"))
  P(
    "1. Time to first SSE event, concurrency 1 (µs)",
    table(
      ["target", "p50", "p99", "added p50", "added p99", "p50 × direct", "added p50 × nginx"],
      names.map((n) => [
        n,
        N(cell[n].p50),
        N(cell[n].p99),
        n === "direct" ? "0" : N(cell[n].p50 - d.p50),
        n === "direct" ? "0" : N(cell[n].p99 - d.p99),
        sig(cell[n].p50 / d.p50),
        n === "direct" ? "-" : sig((cell[n].p50 - d.p50) / (g.p50 - d.p50)),
      ]),
    ),
  );
if (has("short")) {
  P(
    "2a. Short streams (20 deltas): streams/s",
    table(
      ["target", "c=1", "c=16", "c=64", "c=256", "c=64 ÷ nginx", "one core, from CPU (c=64)", "÷ nginx", "errors"],
      names.map((n) => [
        n,
        N(cell[n].s_c1),
        N(cell[n].s_c16),
        N(cell[n].s_c64),
        N(cell[n].s_c256),
        sig(cell[n].s_c64 / g.s_c64),
        N(1000 / cell[n].cpu_c64),
        sig(g.cpu_c64 / cell[n].cpu_c64),
        cell[n].err_c1 + cell[n].err_c16 + cell[n].err_c64 + cell[n].err_c256,
      ]),
    ),
  );
  P(
    "3a. CPU-seconds per 1,000 short streams",
    table(
      ["target", "c=1", "c=16", "c=64", "c=256", "c=64 × nginx"],
      names.map((n) => [
        n,
        sig(cell[n].cpu_c1),
        sig(cell[n].cpu_c16),
        sig(cell[n].cpu_c64),
        sig(cell[n].cpu_c256),
        sig(cell[n].cpu_c64 / g.cpu_c64),
      ]),
    ),
  );
}
if (has("long") || has("paced"))
  P(
    "2b/3b. Long streams (2,000 deltas, c=16, as fast as it goes) and paced streams (each event its own write, 100/s a stream)",
    table(
      [
        "target",
        "long: events/s",
        "÷ nginx",
        "long: CPU-s/100k",
        "paced c64: CPU-s/100k",
        "× nginx",
        "event delay p50/p99 µs",
        "paced c256: events/s",
        "CPU-s/100k",
        "event delay p50/p99 µs",
      ],
      names.map((n) => [
        n,
        N(cell[n].lev),
        sig(cell[n].lev / g.lev),
        sig(cell[n].lcpu),
        sig(cell[n].p_c64),
        sig(cell[n].p_c64 / g.p_c64),
        `${N(cell[n].d50_c64)} / ${N(cell[n].d99_c64)}`,
        N(cell[n].pev_c256),
        sig(cell[n].p_c256),
        `${N(cell[n].d50_c256)} / ${N(cell[n].d99_c256)}`,
      ]),
    ),
  );
if (has("mem")) {
  const w = (n) => median(sel("mem", "10k", n).map((r) => (r.cpu / r.g.ok) * 1e3)),
    g0 = w("nginx");
  P(
    "3c. CPU-seconds per 1,000 short streams over one run of 10,000 (c=16): the warm figure",
    table(
      ["target", "CPU-s per 1,000", "× nginx", "streams/s"],
      names.filter((n) => w(n)).map((n) => [n, sig(w(n)), sig(w(n) / g0), N(median(sel("mem", "10k", n).map((r) => r.g.streams_s)))]),
    ),
  );
}
if (has("mem"))
  P(
    "4. Memory (MB, whole process tree)",
    table(
      ["target", "idle RSS", "idle anon", "peak in 10k requests (c=16)", "RSS after", "served", "peak, 256 long streams"],
      names
        .filter((n) => n !== "direct")
        .map((n) => {
          const a = rows.filter((r) => r.suite === "mem" && r.label === "after" && r.target === n),
            k = sel("mem", "c256long", n);
          return [
            n,
            N(median(a.map((r) => r.idle.rss))),
            N(median(a.map((r) => r.idle.anon))),
            N(median(a.map((r) => r.peak))),
            N(median(a.map((r) => r.after.rss))),
            N(median(a.map((r) => r.served))),
            N(median(k.map((r) => r.mem.hwm))),
          ];
        }),
    ),
  );
if (has("failover"))
  P(
    "5. Failover: first account answers 429, pool of 16, concurrency 1 (ms to first event)",
    table(
      ["target", "no 429", "with 429", "added", "added ÷ own normal", "ok / errors"],
      names
        .filter((n) => targets[n].pool)
        .map((n) => {
          const rs = sel("failover", "n16", n);
          const a = med(rs, (r) => r.g.ttfe_us.p50),
            b = med(rs, (r) => (r.g.odd_ttfe_us?.n ? r.g.odd_ttfe_us.p50 : null));
          return [
            n,
            sig(a / 1e3),
            sig(b / 1e3),
            sig((b - a) / 1e3),
            sig((b - a) / a),
            `${rs.reduce((x, r) => x + r.g.ok, 0)} / ${rs.reduce((x, r) => x + r.g.err, 0)}`,
          ];
        }),
    ),
  );
if (has("start") || has("size"))
  P(
    "6, 7. Start-up to the first successful answer, install size",
    table(
      ["target", "start p50 ms", "min", "max", "processes", "install MB", "files"],
      names
        .filter((n) => n !== "direct")
        .map((n) => {
          const s = rows.filter((r) => r.suite === "start" && r.target === n),
            z = rows.find((r) => r.suite === "size" && r.target === n);
          const ms = s.map((r) => r.ms);
          return [
            n,
            N(median(ms)),
            N(Math.min(...ms)),
            N(Math.max(...ms)),
            N(median(s.map((r) => r.procs))),
            z ? z.mb.toFixed(1) : "-",
            z ? z.files : "-",
          ];
        }),
    ),
  );
if (has("slow"))
  P(
    "8. Slow reader: 200 MB stream, client takes 4 MB/s, then leaves (MB)",
    table(
      [
        "target",
        "RSS before",
        "peak RSS",
        "growth",
        "upstream sent",
        "client read",
        "ahead of the client",
        "upstream freed when the client left",
      ],
      names.map((n) => {
        const s = rows.filter((r) => r.suite === "slow" && r.target === n);
        if (!s.length) return [n, "-", "-", "-", "-", "-", "-", "-"];
        const m = (f) => median(s.map(f));
        return [
          n,
          N(m((r) => r.before.rss)),
          N(m((r) => r.after.hwm)),
          N(m((r) => r.after.hwm - r.before.rss)),
          N(
            m((r) => r.sent / 1e6),
            1,
          ),
          N(
            m((r) => r.client / 1e6),
            1,
          ),
          N(
            m((r) => (r.sent - r.client * 1.04) / 1e6),
            1,
          ),
          s.every((r) => r.aborted > 0) ? "yes" : s.some((r) => r.done) ? "all was read" : "no",
        ];
      }),
    ),
  );
if (has("abort"))
  P(
    "8b. 2,000 clients that leave mid-stream (MB, whole process tree)",
    table(
      ["target", "idle", "after 500", "1,000", "1,500", "2,000", "upstream let go"],
      names
        .filter((n) => rows.some((r) => r.suite === "abort" && r.target === n))
        .map((n) => {
          const r = rows.filter((x) => x.suite === "abort" && x.target === n).at(-1);
          return [n, r.idle.rss.toFixed(1), ...r.marks, `${r.aborted} of ${r.posts}`];
        }),
    ),
  );
if (has("body")) {
  const L = ["2KB", "200KB", "2MB", "5MB"];
  const v = {};
  for (const n of names) v[n] = L.map((l) => med(sel("body", l, n), (r) => r.g.ttfe_us.p50));
  P(
    "9. Large request bodies: ms to first event (p50, c=1)",
    table(
      ["target", ...L, "2MB: added", "2MB × direct", "2MB added × nginx", "CPU ms per 2MB", "errors"],
      names.map((n) => [
        n,
        ...v[n].map((x) => sig(x / 1e3)),
        sig((v[n][2] - v.direct?.[2]) / 1e3),
        sig(v[n][2] / v.direct?.[2]),
        sig((v[n][2] - v.direct?.[2]) / (v.nginx?.[2] - v.direct?.[2])),
        sig(med(sel("body", "2MB", n), (r) => (r.cpu / (r.g.ok + 2)) * 1e3)),
        L.reduce((a, l) => a + sel("body", l, n).reduce((x, r) => x + r.g.err, 0), 0),
      ]),
    ),
  );
}
if (has("pool")) {
  const A = [10, 100, 1000];
  P(
    "10. Pool size",
    table(
      [
        "target",
        ...A.map((a) => `TTFE p50 ms, ${a}`),
        ...A.map((a) => `CPU-s/1k (c16), ${a}`),
        "1000 ÷ 10 (CPU)",
        ...A.map((a) => `streams/s c16, ${a}`),
        "start ms at 1000",
        "errors",
      ],
      names
        .filter((n) => targets[n].pool)
        .map((n) => {
          const l = A.map((a) =>
              med(
                sel("pool", "lat", n, (r) => r.pool === a),
                (r) => r.g.ttfe_us.p50 / 1e3,
              ),
            ),
            c = A.map((a) =>
              med(
                sel("pool", "c16", n, (r) => r.pool === a && r.g.ok > 0),
                (r) => (r.cpu / r.g.ok) * 1e3,
              ),
            ),
            s = A.map((a) =>
              med(
                sel("pool", "c16", n, (r) => r.pool === a),
                (r) => r.g.streams_s,
              ),
            );
          return [
            n,
            ...l.map(sig),
            ...c.map(sig),
            sig(c[2] / c[0]),
            ...s.map((x) => N(x)),
            N(median(sel("pool", "lat", n, (r) => r.pool === 1000).map((r) => r.startMs))),
            rows.filter((r) => r.suite === "pool" && r.target === n).reduce((a, r) => a + (r.g?.err || 0), 0),
          ];
        }),
    ),
  );
}
const er = rows.filter((r) => r.suite === "error");
if (er.length) P("Errors", er.map((r) => `- ${r.target}${r.pool ? " pool " + r.pool : ""}: ${String(r.error).slice(0, 200)}`).join("\n"));
const fo = rows.filter((r) => r.foreign != null).map((r) => r.foreign);
P(
  "Noise",
  `Foreign CPU during the kept measurements: median ${N(median(fo), 2)} cores, ${fo.filter((x) => x > 0.5).length} of ${fo.length} above 0.5.`,
);
console.log(out.join("\n"));
