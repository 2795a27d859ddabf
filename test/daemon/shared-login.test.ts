/**
 * One login, four programs: two daemons and two programs that renew it in its auth.json as the Codex CLI does. Whatever the order in which
 * they find it refused, one refresh goes upstream, no request is lost, and no token is spent twice: the issuer here knows no grace.
 */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createProxyClient, DRESSES, type ProxyClient } from "./support/client.ts";
import type { Control } from "./support/control.ts";
import { createChance, SEED } from "./support/seed.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until } from "./support/until.ts";

const CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann";
const REQUESTS = 64;
const ROUNDS = process.env.ROTOR_TEST_DEPTH === "deep" ? 12 : 3;

function openRotator(stage: Stage, file: string, manner: "in-place" | "rename") {
  const script = join(import.meta.dir, "support/rotator.ts");
  const args = [file, stage.sim.url, stage.sim.issuer, CLIENT_ID, manner];
  const child = Bun.spawn([process.execPath, script, ...args], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const lines: string[] = [];
  void (async () => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of child.stdout) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop()!;
      lines.push(...parts);
    }
  })();
  return {
    /** Resolves with what became of one request of this program. */
    async ask(): Promise<string> {
      const before = lines.length;
      child.stdin.write("go\n");
      child.stdin.flush();
      await until(() => lines.length > before, "the answer of a program that shares the login");
      return lines[before]!;
    },
    async end() {
      child.stdin.end();
      child.kill();
      await child.exited;
    },
  };
}

async function share(control: Control, file: string): Promise<string> {
  const data = readFileSync(file).toString("base64");
  const { accounts } = await control.call<{ accounts: { account: { id: string } }[] }>(
    "TransferService/ImportAccounts",
    { files: [{ name: "auth.json", data }], alias: "alpha", sourcePath: file },
  );
  return accounts[0]!.account.id;
}

const refreshes = (stage: Stage) => stage.sim.requests().filter(({ path }) => path === "/oauth/token");

test.concurrent(`${REQUESTS} requests over four programs that share one auth.json: one refresh a round, and everybody is served`, async () => {
  const chance = createChance(SEED);
  await using stage = await openStage({ accounts: [{ alias: "alpha" }], oauth: { graceSeconds: 0 } });
  const file = join(stage.folder, "auth.json");
  writeFileSync(file, JSON.stringify(stage.sim.accounts[0], null, 2), { mode: 0o600 });
  const env = { ROTOR_SETTING_ACCOUNT_MAX_LEASES: "100" };
  const daemons = [await stage.start({ home: "one", env }), await stage.start({ home: "two", env })];
  const clients: ProxyClient[] = [];
  for (const { control, proxyUrl } of daemons) {
    await share(control, file);
    clients.push(createProxyClient(proxyUrl, await control.createKey("test")));
  }
  const rotators = [openRotator(stage, file, "in-place"), openRotator(stage, file, "rename")];
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      stage.sim.expireAccess("alpha");
      const asked = Array.from({ length: REQUESTS }, (_, i) =>
        clients[i % 2]!.ask(DRESSES[chance.between(0, DRESSES.length - 1)]!),
      );
      const others = await Promise.all(rotators.map((one) => one.ask()));
      expect([SEED, round, others.filter((end) => end === "renewed").length]).toEqual([SEED, round, 1]);
      const statuses = (await Promise.all(asked)).map(({ status }) => status);
      expect([SEED, round, new Set(statuses)]).toEqual([SEED, round, new Set([200])]);
      expect([SEED, round, refreshes(stage).map(({ status }) => status)]).toEqual([
        SEED,
        round,
        Array(round).fill(200),
      ]);
    }
    for (const { control } of daemons) {
      const account = await control.account("alpha");
      expect(account.holds ?? []).toEqual([]);
      expect(Number(account.credentials.generation)).toBe(1 + ROUNDS);
    }
  } finally {
    await Promise.all(rotators.map((one) => one.end()));
  }
}, 400_000);

test.concurrent("a login that was renewed behind our back is taken from the file, and no token of it is said anywhere", async () => {
  await using stage = await openStage({ accounts: [{ alias: "alpha" }], oauth: { graceSeconds: 0 } });
  const file = join(stage.folder, "auth.json");
  writeFileSync(file, JSON.stringify(stage.sim.accounts[0]), { mode: 0o600 });
  const { control, proxyUrl, logText } = await stage.start({ env: { ROTOR_SETTING_AUTH_FILE_WATCH: "off" } });
  const id = await share(control, file);
  await control.call("TransferService/TakeAccount", { accountId: id });
  const client = createProxyClient(proxyUrl, await control.createKey("test"));
  const rotator = openRotator(stage, file, "rename");
  try {
    stage.sim.expireAccess("alpha");
    expect(await rotator.ask()).toBe("renewed");
    expect((await client.ask("codex")).status).toBe(200);
    // Nothing of ours went to the issuer: the file was looked at first.
    expect(refreshes(stage)).toHaveLength(1);
    const answers = await Promise.all(
      ["TransferService/ListWatchedFiles", "AccountService/ListAccounts"].map((method) => control.callRaw(method)),
    );
    const { tokens } = JSON.parse(readFileSync(file, "utf8")) as { tokens: Record<string, string> };
    for (const secret of [tokens.access_token!, tokens.refresh_token!, tokens.id_token!]) {
      for (const text of [...answers, logText()]) expect(text.includes(secret.slice(-40))).toBe(false);
    }
  } finally {
    await rotator.end();
  }
});

test.concurrent("a switch writes the file for its program, which renews from there, and Rotor goes along", async () => {
  await using stage = await openStage({
    accounts: [{ alias: "alpha" }, { alias: "beta" }],
    oauth: { graceSeconds: 0 },
  });
  const file = join(stage.folder, "auth.json");
  const [alpha, beta] = stage.sim.accounts;
  writeFileSync(file, JSON.stringify({ ...beta, mine: "stays" }), { mode: 0o600 });
  const { control, proxyUrl } = await stage.start();
  const { id } = await control.importLogin(alpha, "alpha");
  const report = await control.call<{ previousLogin: string }>("TransferService/SwitchAccount", {
    accountId: id,
    path: file,
  });
  expect(report.previousLogin).toBe("PREVIOUS_LOGIN_ADOPTED");
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ mine: "stays" });
  const rotator = openRotator(stage, file, "rename");
  try {
    stage.sim.expireAccess("alpha");
    expect(await rotator.ask()).toBe("renewed");
    await until(
      async () => (await control.account("alpha")).credentials.generation === "2",
      "Rotor's look at the file",
    );
    const client = createProxyClient(proxyUrl, await control.createKey("test"));
    await control.call("PoolService/PinAccount", { accountId: id });
    expect((await client.ask("sdk")).status).toBe(200);
    expect(refreshes(stage)).toHaveLength(1);
  } finally {
    await rotator.end();
  }
});
