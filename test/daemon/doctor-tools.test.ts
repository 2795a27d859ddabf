/**
 * A connected tool's chain through the real proxy: whole, and with one link broken at a time. Doctor names that link and no other, and
 * `--fix` mends it.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCtl } from "./support/ctl.ts";
import { openStage, type Stage } from "./support/stage.ts";

interface FindingJson {
  readonly check: string;
  readonly level: string;
  readonly message: string;
  readonly hint: string;
}

interface Desk {
  readonly stage: Stage;
  readonly config: string;
  ctl(...args: string[]): Promise<Awaited<ReturnType<typeof runCtl>>>;
  /** What is not in order with tools; the exit code says whether there is anything. */
  wrong(...args: string[]): Promise<FindingJson[]>;
}

async function withDesk(work: (desk: Desk) => Promise<void>): Promise<void> {
  await using stage = await openStage({ accounts: [{ alias: "one" }] });
  const home = join(stage.folder, "codex");
  mkdirSync(home);
  const env = { ...stage.env(), CODEX_HOME: home };
  const ctl: Desk["ctl"] = (...args) => runCtl(args, env);
  const wrong: Desk["wrong"] = async (...args) => {
    const { exit, stdout } = await ctl("doctor", "--json", "--only", "tools", ...args);
    const { findings } = JSON.parse(stdout) as { findings: FindingJson[] };
    const bad = findings.filter(({ level }) => level !== "FINDING_LEVEL_OK");
    expect(exit).toBe(bad.length > 0 ? 1 : 0);
    return bad;
  };
  const { control } = await stage.start();
  await control.importLogin(stage.sim.login("one"), "one");
  const config = join(home, "config.toml");
  writeFileSync(config, 'model = "gpt-5.5"\n');
  expect((await ctl("connect", "codex", "--yes")).exit).toBe(0);
  await work({ stage, config, ctl, wrong });
}

const edit = (file: string, change: (text: string) => string) => {
  const before = readFileSync(file, "utf8");
  const after = change(before);
  expect(after).not.toBe(before);
  writeFileSync(file, after);
};

/** Mended at once, and for good. */
async function expectMended({ wrong, ctl }: Desk, words: string): Promise<void> {
  const rehearsal = JSON.parse((await ctl("doctor", "--fix", "--dry-run", "--json")).stdout) as {
    mended: { message: string; done: boolean }[];
  };
  const planned = rehearsal.mended.filter(({ message }) => message.startsWith("connect codex again"));
  expect(planned).toMatchObject([{ done: false }]);
  expect(planned[0]!.message).toContain(words);
  expect(await wrong()).not.toEqual([]);
  expect(await wrong("--fix")).toEqual([]);
  expect(await wrong()).toEqual([]);
}

test("a whole chain is whole, also for whom nothing may be asked, and one turn on demand says who answered", async () => {
  await withDesk(async ({ stage, ctl, wrong }) => {
    expect(await wrong()).toEqual([]);
    const seen = stage.sim.requests().length;
    expect(await wrong("--offline")).toEqual([]);
    expect(stage.sim.requests().length).toBe(seen);
    expect(stage.sim.requests().filter(({ path }) => path.endsWith("/responses"))).toEqual([]);

    const live = await ctl("doctor", "--only", "tools", "--live", "--model", "gpt-5.5");
    expect(live.exit).toBe(0);
    expect(live.stdout).toMatch(/gpt-5\.5 answered from one in .+; \d+ tokens in, \d+ out; with the key codex-/);
    expect(stage.sim.requests().filter(({ path }) => path.endsWith("/responses"))).toHaveLength(1);
    expect((await ctl("doctor", "--live", "--offline")).exit).toBe(2);
    const status = await ctl("status");
    expect(status.stdout).toMatch(/\ntools\ncodex {2}connected, key codex-/);
  });
});

test("without a connected tool, one turn goes with a key of its own", async () => {
  await withDesk(async ({ ctl }) => {
    expect((await ctl("disconnect", "codex", "--yes")).exit).toBe(0);
    const live = await ctl("doctor", "--only", "accounts", "--live");
    expect(live.exit).toBe(0);
    expect(live.stdout).toContain("answered from one");
    expect(live.stdout).toContain("with the key doctor");
  });
});

test("one broken link at a time: a revoked key, an edited config, one origin for both, a lost key file", async () => {
  await withDesk(async (desk) => {
    const { config, ctl, wrong, stage } = desk;
    const { keys } = JSON.parse((await ctl("key", "list", "--json")).stdout) as { keys: { name: string }[] };
    expect((await ctl("key", "revoke", keys[0]!.name, "--yes")).exit).toBe(0);
    const revoked = await wrong();
    expect(revoked.map(({ check }) => check)).toEqual(["tool.drift"]);
    expect(revoked[0]!.message).toContain(`its key ${keys[0]!.name} is not good any more`);
    await expectMended(desk, "is not good any more");

    edit(config, (text) => text.replace(/^openai_base_url = .*$/m, 'openai_base_url = "http://127.0.0.1:1/v1"'));
    const edited = await wrong();
    expect(edited.map(({ check }) => check)).toEqual(["tool.drift"]);
    expect(edited[0]!.message).toContain("openai_base_url is not what we wrote");
    await expectMended(desk, "openai_base_url");

    edit(config, (text) => text.replace("http://localhost:", "http://127.0.0.1:"));
    const origins = await wrong();
    expect(origins.map(({ check }) => check)).toEqual(["tool.origins", "tool.drift"]);
    expect(origins[0]!.message).toContain("it would go to chatgpt.com by itself");
    await expectMended(desk, "chatgpt_base_url");
    expect(readFileSync(config, "utf8")).toContain('model = "gpt-5.5"');

    const keyFile = join(stage.home(), "connections", "codex.key");
    expect(existsSync(keyFile)).toBe(true);
    rmSync(keyFile);
    const lost = await wrong();
    expect(lost).toMatchObject([{ check: "tool.key", hint: "rotor doctor --fix" }]);
    await expectMended(desk, "the file with its key is gone");
  });
});

test("the Codex app is asked as Codex is: its own key, the list, a turn and a WebSocket; and one broken link is mended", async () => {
  await withDesk(async ({ config, ctl, wrong, stage }) => {
    expect((await ctl("disconnect", "codex", "--yes")).exit).toBe(0);
    expect((await ctl("connect", "codex-app", "--yes")).exit).toBe(0);
    expect(await wrong()).toEqual([]);
    const { findings } = JSON.parse((await ctl("doctor", "--json", "--only", "tools")).stdout) as {
      findings: FindingJson[];
    };
    const said = findings.filter(({ message }) => message.startsWith("codex-app: ")).map(({ message }) => message);
    expect(said).toContainEqual(
      expect.stringMatching(/^codex-app: its key codex-app\S* is good, and lists \d+ models$/),
    );
    expect(said).toContain("codex-app: a turn would be taken, over HTTP and over a WebSocket");
    expect(stage.sim.requests().filter(({ path }) => path.endsWith("/responses"))).toEqual([]);

    edit(config, (text) => text.replace("http://localhost:", "http://127.0.0.1:"));
    const [origins] = await wrong();
    expect(origins).toMatchObject({ check: "tool.origins", hint: "rotor doctor --fix" });
    expect(await wrong("--fix")).toEqual([]);
    rmSync(join(stage.home(), "connections", "codex-app.key"));
    expect(await wrong()).toMatchObject([{ check: "tool.key", message: expect.stringMatching(/^codex-app: /) }]);
    expect(await wrong("--fix")).toEqual([]);
  });
});

test("the plugin for OpenCode: a key as it gets one, its files, a running client of before an update", async () => {
  await withDesk(async ({ stage, ctl, wrong }) => {
    expect((await ctl("connect", "opencode", "--yes")).exit).toBe(0);
    const { stdout } = await ctl("doctor", "--only", "tools");
    expect(stdout).toMatch(/opencode: its key opencode is good, and lists \d+ models/);
    // The client that asked for it has gone again.
    expect(JSON.parse((await ctl("client", "list", "--json")).stdout)).toMatchObject({ clients: [] });
    const plugin = join(stage.folder, ".config/opencode/plugins/rotor.js");
    edit(plugin, (text) => `${text}\n// mine\n`);
    expect(await wrong()).toMatchObject([{ check: "tool.drift" }]);
    expect(await wrong("--fix")).toEqual([]);
    expect(readFileSync(plugin, "utf8")).not.toContain("// mine");
  });
});

test("a daemon on another port: the tool is named, and sent there", async () => {
  await withDesk(async (desk) => {
    const { config, ctl, wrong, stage } = desk;
    const before = readFileSync(config, "utf8");
    const port = () =>
      (JSON.parse(readFileSync(join(stage.home(), "daemon.json"), "utf8")) as { proxy_url: string }).proxy_url;
    // Any free one may be the one of before.
    for (const former = port(); port() === former; ) {
      expect((await ctl("down")).exit).toBe(0);
      expect((await ctl("up", "--port", "0")).exit).toBe(0);
    }
    const moved = await wrong();
    expect(moved.map(({ check }) => check)).toEqual(["tool.drift"]);
    expect(moved[0]!.message).toMatch(/it is sent to http.* but the daemon listens on http/);
    await expectMended(desk, "but the daemon listens on");
    expect(readFileSync(config, "utf8")).not.toBe(before);
    await ctl("down");
  });
});

test("a config that was never connected, with one origin for both, is said too", async () => {
  await withDesk(async ({ config, ctl, wrong }) => {
    expect((await ctl("disconnect", "codex", "--yes")).exit).toBe(0);
    const both =
      'openai_base_url = "http://localhost:4747/v1"\nchatgpt_base_url = "http://localhost:4747/backend-api"\n';
    writeFileSync(config, both);
    expect(await wrong()).toMatchObject([{ check: "tool.origins", hint: "rotor connect codex" }]);
  });
});
