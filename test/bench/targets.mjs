// What is measured: each target listens on 127.0.0.1:c.port and sends upstream to c.up. To add one, add an entry:
//   name: { kind: 'product' | 'reference', path, headers(c), setup(c)?, start(c) -> { cmd, env }, pool?: true, install: [paths], note }
// c = { port, upPort, up: 'http://127.0.0.1:PORT', n: accounts, dir: a fresh folder, toks: file with a JSON array of n fake tokens }
import { execFile, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { acctId, BUN, ROOT, sleep, tok } from "./lib.mjs";

const write = (c, f, text) => {
  const p = path.join(c.dir, f);
  fs.writeFileSync(p, text);
  return p;
};

// The compiled binary under test; build/bench.ts says which.
export const ROTOR = process.env.ROTOR_BIN;
export const rotorEnv = (c) => ({
  HOME: c.dir,
  ROTOR_HOME: path.join(c.dir, "home"),
  ROTOR_UPSTREAM_BASE_URL: c.up,
  ROTOR_UPSTREAM_ISSUER: c.up,
  ROTOR_LOG: "warn",
  ROTOR_SEAL_GUARD: "key_file",
  PATH: process.env.PATH,
});

/** Seeds a store as a person would: starts the daemon, imports n logins, makes a key, stops it. */
export async function seedRotor(c, command = [ROTOR]) {
  const [first, ...more] = command;
  const run = async (...args) => (await promisify(execFile)(first, [...more, ...args], { env: rotorEnv(c) })).stdout;
  const logins = Array.from({ length: c.n }, (_, i) => ({
    auth_mode: "chatgpt",
    tokens: { access_token: tok(i), id_token: null, refresh_token: `refresh-${i}`, account_id: acctId(i) },
    last_refresh: new Date().toISOString(),
  }));
  const file = write(c, "accounts.json", JSON.stringify(logins));
  const daemon = spawn(first, [...more, "daemon", "--port", "0"], { env: rotorEnv(c), stdio: "ignore" });
  const ended = new Promise((r) => daemon.on("exit", r));
  for (let i = 0; i < 400 && !fs.existsSync(path.join(c.dir, "home", "daemon.json")); i++) await sleep(10);
  await run("import", file, "--no-start", "--json");
  fs.writeFileSync(path.join(c.dir, "key"), JSON.parse(await run("key", "create", "bench", "--no-start", "--json")).secret);
  await run("down");
  await ended;
}

export const targets = {
  direct: { kind: "reference", direct: true, path: "/responses", headers: () => ({ Authorization: `Bearer ${tok(0)}` }) },
  nginx: {
    kind: "reference",
    path: "/v1/responses",
    install: ["/usr/sbin/nginx"],
    note: "one worker, buffering off",
    setup: (c) =>
      write(
        c,
        "nginx.conf",
        `daemon off; master_process off; worker_processes 1; error_log ${c.dir}/err.log warn; pid ${c.dir}/pid; worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http { access_log off; tcp_nodelay on; client_max_body_size 0; client_body_buffer_size 1m; client_body_temp_path ${c.dir}/b; proxy_temp_path ${c.dir}/p; fastcgi_temp_path ${c.dir}/f; uwsgi_temp_path ${c.dir}/u; scgi_temp_path ${c.dir}/s; keepalive_requests 10000000; keepalive_timeout 300s;
 upstream up { server 127.0.0.1:${c.upPort}; keepalive 512; keepalive_requests 10000000; }
 server { listen 127.0.0.1:${c.port} backlog=4096; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Authorization "Bearer ${tok(0)}"; proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 600s; } } }`,
      ),
    start: (c) => ({ cmd: ["nginx", "-p", c.dir, "-c", path.join(c.dir, "nginx.conf")] }),
  },
  relay: {
    kind: "reference",
    path: "/v1/responses",
    note: "the floor: Bun.serve and Bun sockets, nothing in between",
    install: [],
    start: (c) => ({ cmd: [BUN, path.join(ROOT, "src", "relay.ts"), c.port, c.upPort, tok(0)] }),
  },
  rotor: {
    kind: "product",
    pool: true,
    path: "/v1/responses",
    install: [ROTOR],
    command: [ROTOR],
    note: "the compiled binary: client key, selection, windows and records on",
    setup: (c) => seedRotor(c),
    headers: (c) => ({ Authorization: `Bearer ${fs.readFileSync(path.join(c.dir, "key"), "utf8")}` }),
    start: (c) => ({ cmd: [ROTOR, "daemon", "--port", c.port], env: rotorEnv(c) }),
  },
  "rotor-codex": {
    kind: "product",
    extra: true,
    pool: true,
    path: "/backend-api/codex/responses",
    install: [],
    note: "the same on the Codex route: bytes untouched",
  },
};
for (const k of ["setup", "headers", "start"]) targets["rotor-codex"][k] = targets.rotor[k];

// Another build beside the one under test, in the same rounds: what a change is worth. ROTOR_BIN_BEFORE names it.
const BEFORE = process.env.ROTOR_BIN_BEFORE;
if (BEFORE) {
  targets["rotor-before"] = {
    ...targets.rotor,
    extra: true,
    install: [BEFORE],
    command: [BEFORE],
    note: "the build that ROTOR_BIN_BEFORE names",
    setup: (c) => seedRotor(c, [BEFORE]),
    start: (c) => ({ cmd: [BEFORE, "daemon", "--port", c.port], env: rotorEnv(c) }),
  };
}
