/**
 * Imports and exports through the real daemon and the real ctl: every format in, pool files from one installation to another, a kill -9
 * in between, and nobody's token in any output.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ForeignFile } from "../../src/transfer/json-node.ts";
import {
  aLogin,
  CANARY,
  codexAuth,
  codexMultiBundle,
  opencodeMultiEnvelope,
  opencodeMultiMap,
} from "../support/foreign-stores.ts";
import { importSamples, SAMPLE_PASSPHRASE } from "../support/import-samples.ts";
import { type CtlResult, runCtl } from "./support/ctl.ts";
import { createChance, SEED } from "./support/seed.ts";
import { openStage, type Stage } from "./support/stage.ts";

/** Each runs the ctl some hundred times. */
const TEST_MS = 400_000;

/** Whatever the day, nobody renews these made-up logins. */
const STILL = { ROTOR_SETTING_REFRESH_PROACTIVELY: "false" };

const lay = (folder: string, files: readonly ForeignFile[]): string => {
  for (const { name, bytes } of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes, { mode: 0o600 });
  }
  return folder;
};

const everything: string[] = [];
async function rotor(stage: Stage, home: string, args: readonly string[], stdin?: string): Promise<CtlResult> {
  const env = { ...stage.env({ home, env: STILL }), CODEX_HOME: join(stage.folder, "codex") };
  const result = await runCtl(args, env, stdin);
  everything.push(result.stdout, result.stderr);
  return result;
}
const json = <T>({ stdout, stderr }: CtlResult): T => {
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout) as T;
};
interface Imported {
  readonly format: string;
  readonly accounts: { action: string; alias: string; account?: Record<string, unknown> }[];
  readonly remarks: string[];
}
interface Listed {
  readonly accounts: Record<string, unknown>[];
}
/** E-mail addresses are shown in lists, and may be; tokens nowhere. */
const hidesTokens = () => expect(everything.join("\n").replaceAll(`${CANARY}.person`, "")).not.toContain(CANARY);

test(
  "every format comes in whole, through files, and the second time nothing does",
  async () => {
    await using stage = await openStage({ accounts: [] });
    for (const [n, { what, format, files, passphrase, workspaces }] of importSamples().entries()) {
      const home = `home-${n}`;
      const daemon = await stage.start({ home, env: STILL });
      const folder = lay(join(stage.folder, `files-${n}`), files);
      const paths = files.map(({ name }) => join(folder, name));
      const line = passphrase === null ? [] : ["--passphrase-stdin"];
      const run = async (...more: string[]) =>
        json<Imported>(
          await rotor(stage, home, ["import", ...paths, "--json", ...line, ...more], passphrase ?? undefined),
        );
      const dry = await run("--dry-run");
      expect([what, (await daemon.control.accounts()).length]).toEqual([what, 0]);
      const first = await run();
      expect([what, first.format, first.accounts.map(({ alias }) => alias)]).toEqual([
        what,
        format,
        dry.accounts.map(({ alias }) => alias),
      ]);
      const listed = json<Listed>(await rotor(stage, home, ["account", "list", "--json"])).accounts;
      const found = listed.map(({ workspaceId }) => String(workspaceId).replace(/^unidentified:.*/, "?")).sort();
      expect([what, found]).toEqual([what, [...workspaces]]);
      const again = await run();
      expect(new Set(again.accounts.map(({ action }) => action))).toEqual(new Set(["IMPORT_ACTION_SKIP"]));
      for (const { name, bytes } of files) expect(readFileSync(join(folder, name))).toEqual(Buffer.from(bytes));
      everything.push(daemon.logText());
      await daemon.kill();
    }
    hidesTokens();
  },
  TEST_MS,
);

describe("from one installation to another", () => {
  const FIELDS = [
    "alias",
    "email",
    "userId",
    "workspaceId",
    "workspaceName",
    "tags",
    "note",
    "weight",
    "priority",
    "tier",
    "issuer",
    "enabled",
    "windows",
    "createTime",
    "lastLeaseTime",
    "unsupportedModels",
  ];
  const plain = ({ accounts }: Listed) =>
    accounts.map((account) => ({
      ...Object.fromEntries(FIELDS.map((field) => [field, account[field]])),
      holds: (account.holds as { kind: string }[]).map(({ kind }) => kind),
      credentials: { ...(account.credentials as object), generation: "" },
    }));

  test(
    "a pool file carries identical accounts, with pin and strategy, under a passphrase",
    async () => {
      await using stage = await openStage({ accounts: [] });
      for (const home of ["left", "right"]) await stage.start({ home, env: STILL });
      const store = lay(join(stage.folder, "oma"), [{ name: "accounts.json", bytes: bytesOf(opencodeMultiMap()) }]);
      expect((await rotor(stage, "left", ["import", join(store, "accounts.json")])).exit).toBe(0);
      const file = join(stage.folder, "pool.rotor");
      const out = ["export", "--to", "pool", "--out", file, "--passphrase-stdin"];
      expect((await rotor(stage, "left", out, SAMPLE_PASSPHRASE)).exit).toBe(0);
      expect(lstatSync(file).mode & 0o777).toBe(0o600);
      expect(readFileSync(file).includes(CANARY)).toBe(false);
      expect((await rotor(stage, "left", out, SAMPLE_PASSPHRASE)).exit).toBe(5);
      const missing = await rotor(stage, "right", ["import", file, "--json"]);
      expect([missing.exit, missing.stderr.includes("passphrase_required")]).toEqual([5, true]);
      const wrong = await rotor(stage, "right", ["import", file, "--json", "--passphrase-stdin"], "not it");
      expect(wrong.stderr).toContain("passphrase_wrong");
      expect((await rotor(stage, "right", ["import", file, "--passphrase-stdin"], SAMPLE_PASSPHRASE)).exit).toBe(0);
      const [left, right] = await Promise.all(
        ["left", "right"].map(async (home) => ({
          accounts: plain(json<Listed>(await rotor(stage, home, ["account", "list", "--json"]))),
          pool: json<{ pool: Record<string, unknown> }>(await rotor(stage, home, ["pool", "show", "--json"])).pool,
        })),
      );
      expect(right!.accounts).toEqual(left!.accounts);
      expect(right!.accounts).toHaveLength(3);
      expect(right!.pool.strategy).toBe(left!.pool.strategy);
      // And the tokens themselves: what each can write for Codex is the same.
      for (const home of ["left", "right"]) {
        const name = join(stage.folder, `${home}.json`);
        const order = ["export", "work-laptop", "--to", "codex", "--out", name, "--yes", "--plain-text"];
        expect((await rotor(stage, home, order)).exit).toBe(0);
        expect(JSON.parse(readFileSync(name, "utf8")).tokens.refresh_token).toBe(aLogin(1).refreshToken);
      }
      hidesTokens();
    },
    TEST_MS,
  );

  test(
    "plain tokens are written only when that is meant, and not where they would spread",
    async () => {
      await using stage = await openStage({ accounts: [] });
      await stage.start({ env: STILL });
      const [file] = [join(lay(stage.folder, [{ name: "in.json", bytes: bytesOf(codexAuth(aLogin(1))) }]), "in.json")];
      await rotor(stage, "home", ["import", file, "--alias", "work"]);
      const out = join(stage.folder, "out.json");
      const order = ["export", "work", "--to", "opencode", "--out", out];
      expect((await rotor(stage, "home", order)).exit).toBe(5);
      expect((await rotor(stage, "home", [...order, "--yes"])).exit).toBe(5);
      expect((await rotor(stage, "home", [...order, "--dry-run"])).exit).toBe(0);
      expect(existsSync(out)).toBe(false);
      const said = [...order, "--yes", "--plain-text"];
      mkdirSync(join(stage.folder, ".git"));
      expect((await rotor(stage, "home", said)).stderr).toContain("git repository");
      expect(existsSync(out)).toBe(false);
      expect((await rotor(stage, "home", [...said, "--force"])).exit).toBe(0);
      expect(JSON.parse(readFileSync(out, "utf8")).openai.refresh).toBe(aLogin(1).refreshToken);
      const audit = await rotor(stage, "home", ["audit", "list", "--json"]);
      expect(audit.stdout).toContain("account.export");
      hidesTokens();
    },
    TEST_MS,
  );
});

test("an encrypted store takes the passphrase of the product's own variable", async () => {
  await using stage = await openStage({ accounts: [] });
  await stage.start({ env: STILL });
  const envelope = bytesOf(opencodeMultiEnvelope(opencodeMultiMap(), SAMPLE_PASSPHRASE));
  lay(join(stage.folder, ".config/opencode-multi-auth"), [{ name: "accounts.json", bytes: envelope }]);
  const env = { ...stage.env({ env: STILL }), CODEX_SOFT_STORE_PASSPHRASE: SAMPLE_PASSPHRASE };
  const { accounts } = json<Imported>(await runCtl(["import", "opencode-multi-auth", "--json"], env));
  expect(accounts).toHaveLength(3);
});

test(
  "several logins into a pool that is not empty: what was there before can be had back",
  async () => {
    await using stage = await openStage({ accounts: [] });
    await stage.start({ env: STILL });
    const one = lay(join(stage.folder, "one"), [{ name: "auth.json", bytes: bytesOf(codexAuth(aLogin(9))) }]);
    const first = await rotor(stage, "home", ["import", join(one, "auth.json"), "--json"]);
    expect(json<{ backup: string }>(first).backup).toBe("");
    const many = lay(join(stage.folder, "many"), [{ name: "accounts.json", bytes: bytesOf(opencodeMultiMap()) }]);
    const { backup } = json<{ backup: string }>(
      await rotor(stage, "home", ["import", join(many, "accounts.json"), "--json"]),
    );
    expect(backup).toContain("before-import");
    const accounts = async () =>
      json<Listed>(await rotor(stage, "home", ["account", "list", "--json"])).accounts.map(({ alias }) => alias);
    expect((await accounts()).length).toBe(4);
    expect((await rotor(stage, "home", ["restore", backup, "--yes"])).exit).toBe(0);
    expect((await accounts()).length).toBe(1);
  },
  TEST_MS,
);

test(
  "kill -9 during an import leaves all of it or nothing",
  async () => {
    const chance = createChance(SEED);
    await using stage = await openStage({ accounts: [] });
    const folder = lay(join(stage.folder, "cma"), codexMultiBundle());
    const files = codexMultiBundle().map(({ name }) => ({
      name,
      data: readFileSync(join(folder, name)).toString("base64"),
    }));
    const ends = new Set<number>();
    for (let round = 0; round < 12; round++) {
      const home = `home-${round}`;
      const daemon = await stage.start({ home, env: STILL });
      const over = daemon.control.call("TransferService/ImportAccounts", { files }).catch(() => null);
      await Promise.race([over, Bun.sleep(chance.between(0, 30))]);
      await daemon.kill();
      const after = await stage.start({ home, env: STILL });
      const accounts = await after.control.accounts();
      const { keys = [] } = await after.control.call<{ keys?: unknown[] }>("KeyService/ListKeys");
      const { pool } = await after.control.call<{ pool: { pinnedAccountId?: string; pin?: unknown } }>(
        "PoolService/GetPool",
      );
      expect([0, 4]).toContain(accounts.length);
      expect(keys).toHaveLength(accounts.length === 4 ? 1 : 0);
      expect(pool.pin === undefined).toBe(accounts.length === 0);
      ends.add(accounts.length);
      // What stands can be done again, and ends whole.
      await after.control.call("TransferService/ImportAccounts", { files });
      expect(await after.control.accounts()).toHaveLength(4);
      await after.kill();
    }
  },
  TEST_MS,
);

test("leftovers are named with their sizes, and wiped only when they are what they seem", async () => {
  await using stage = await openStage({ accounts: [] });
  const folder = join(stage.folder, ".config/opencode-multi-auth");
  const bytes = bytesOf(opencodeMultiMap());
  lay(
    folder,
    ["accounts.json", "accounts.json.bak", "accounts.json.lkg"].map((name) => ({ name, bytes })),
  );
  const env = stage.env();
  const listed = json<{ leftovers: { path: string; bytes: number }[] }>(
    await runCtl(["import", "leftovers", "--json"], env),
  );
  expect(listed.leftovers.map(({ path, bytes: size }) => [path.slice(folder.length + 1), size])).toEqual([
    ["accounts.json.bak", bytes.length],
    ["accounts.json.lkg", bytes.length],
  ]);
  expect((await runCtl(["import", "leftovers", "--wipe"], env)).exit).toBe(5);
  expect(readdirSync(folder)).toHaveLength(3);
  expect((await runCtl(["import", "leftovers", "--wipe", "--yes"], env)).exit).toBe(0);
  expect(readdirSync(folder)).toEqual(["accounts.json"]);
  expect(readFileSync(join(folder, "accounts.json"))).toEqual(Buffer.from(bytes));
});

function bytesOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
