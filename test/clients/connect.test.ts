/**
 * The real clients as people connect them: a fresh home, `rotor connect TOOL --yes`, a conversation with an account that runs out on the way,
 * and `rotor disconnect --all`, after which the home's configuration is what it was, byte for byte.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nextAccount } from "./exchanges.ts";
import { inWorld, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import { type SeenRequest, storyOf } from "./upstream.ts";

setDefaultTimeout(240_000);

/** What a test must switch off so that Codex asks nobody but its model; none of it changes how it speaks to one. */
const CODEX_CONFIG = `# mine
model = "gpt-5.5" # classic

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

const PROGRAM = join(import.meta.dir, "programs", "thread-list.mjs");

const isTurn = ({ method, body }: SeenRequest) => method !== "GET" && body?.generate !== false;

interface CodexAt {
  exec(...args: string[]): ReturnType<World["run"]>;
  /** Conversations that Codex shows, oldest first: what each began with. */
  listed(): Promise<readonly string[]>;
}

function codexIn(world: World): CodexAt {
  const { codex } = installClients();
  const exec: CodexAt["exec"] = (...args) => world.run([codex, "exec", "--skip-git-repo-check", ...args]);
  return {
    exec,
    async listed() {
      const { out, err } = await world.run([process.execPath, PROGRAM, codex]);
      const line = out.split("\n").find((text) => text.startsWith("["));
      if (line === undefined) throw new Error(`the app-server said nothing:\n${out}\n${err}`);
      return JSON.parse(line) as string[];
    },
  };
}

const keyOf = (list: string) => /\bcodex-\S+/.exec(list)![0];

const idOf = (err: string) => /session id: (\S+)/.exec(err)![1]!;

clientSuite("rotor connect", () => {
  test("codex: without any login; over its WebSocket; an account runs out on the way; then all is as before", async () => {
    await inWorld(async (world) => {
      const config = world.write(".codex/config.toml", CODEX_CONFIG);
      await world.ctl("connect", "codex", "--yes");
      const { exec } = codexIn(world);
      const first = await nextAccount(world);
      expect((await exec("say one")).out).toBe(`SIM ${first} says: say one\n`);
      await world.upstream.exhaust(first);
      const run = await exec("say two");
      expect(run.out).toMatch(/^SIM \w+ says: say two\n$/);
      expect(run.out).not.toContain(first);
      expect(run.err).not.toMatch(/error|reconnecting|falling back|usage limit|sign in/i);
      const turns = (await world.upstream.settled(isTurn)).filter(isTurn);
      expect(turns.every(({ method }) => method === "WS")).toBe(true);
      expect(storyOf(turns)).toStartWith(`${first} 200`);
      const { tools } = await world.ctlJson<{ tools: { name: string; state: string; lastSeenTime: string }[] }>(
        "connect",
      );
      expect(tools.find(({ name }) => name === "codex")).toMatchObject({
        state: "connected",
        lastSeenTime: expect.stringMatching(/^20/),
      });
      await world.ctl("disconnect", "--all", "--yes");
      expect(readFileSync(config, "utf8")).toBe(CODEX_CONFIG);
      expect(existsSync(join(world.home, ".codex", "auth.json"))).toBe(false);
    });
  });

  test("codex: conversations from before are listed and go on, while connected and after", async () => {
    await inWorld(async (world) => {
      const config = world.write(".codex/config.toml", CODEX_CONFIG);
      // As it was before Rotor: the built-in provider, at some other address.
      writeFileSync(config, `openai_base_url = "${world.proxyUrl}/k/${world.key}/backend-api/codex"\n${CODEX_CONFIG}`);
      const before = readFileSync(config, "utf8");
      const { exec, listed } = codexIn(world);
      const early = idOf((await exec("say early")).err);
      await world.ctl("connect", "codex", "--yes");
      const late = idOf((await exec("say late")).err);
      expect(await listed()).toEqual(["say early", "say late"]);
      expect((await exec("resume", early, "say early again")).out).toEndWith(" says: say early again\n");
      await world.ctl("disconnect", "codex", "--yes");
      expect(readFileSync(config, "utf8")).toBe(before);
      expect(await listed()).toEqual(["say early", "say late"]);
      expect((await exec("resume", late, "say late again")).out).toEndWith(" says: say late again\n");
    });
  });

  test("codex: conversations of codex-multi-auth are listed with the others and go on; undone, their files are as before", async () => {
    await inWorld(async (world) => {
      const replaced = `${CODEX_CONFIG.replace("[features]", 'model_provider = "codex-multi-auth-runtime-proxy"\n\n[features]')}
[model_providers.codex-multi-auth-runtime-proxy]
name = "codex-multi-auth"
base_url = "${world.proxyUrl}/backend-api/codex"
wire_api = "responses"
requires_openai_auth = false
experimental_bearer_token = "${world.key}"
`;
      const config = world.write(".codex/config.toml", replaced);
      const { exec, listed } = codexIn(world);
      const theirs = idOf((await exec("say theirs")).err);
      const { path, text } = conversation(world, "say theirs");
      await world.ctl("connect", "codex", "--yes");
      await exec("say ours");
      expect(await listed()).toEqual(["say theirs", "say ours"]);
      // Not one byte more or less.
      expect(statSync(path).size).toBe(text.length);
      await world.ctl("disconnect", "codex", "--yes");
      expect(readFileSync(path, "latin1")).toBe(text);
      expect(readFileSync(config, "utf8")).toBe(replaced);
      await world.ctl("connect", "codex", "--yes");
      expect((await exec("resume", theirs, "say more")).out).toEndWith(" says: say more\n");
    });
  });

  test.skipIf(Bun.which("git") === null)(
    "codex: a profile that is bound to the repository is the one that it asks through",
    async () => {
      await inWorld(async (world) => {
        world.write(".codex/config.toml", CODEX_CONFIG);
        await world.run(["git", "init", "--quiet", "."]);
        // Codex tells of a repository only what has been committed to it.
        const nobody = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"];
        await world.run(["git", ...nobody, "commit", "--quiet", "--allow-empty", "--message", "first"]);
        const first = await nextAccount(world);
        const other = ["plus", "team", "pro"].find((alias) => alias !== first)!;
        await world.ctl("profile", "set", "bound", "--accounts", other);
        await world.ctl("profile", "bind", "bound", world.work);
        await world.ctl("connect", "codex", "--yes");
        const run = await codexIn(world).exec("say hello");
        expect(run.out).toBe(`SIM ${other} says: say hello\n`);
        await world.ctl("profile", "unbind", world.work);
        await world.ctl("profile", "set", "bound", "--accounts", first, "--key", keyOf(await world.ctl("key", "list")));
        expect((await codexIn(world).exec("say again")).out).toBe(`SIM ${first} says: say again\n`);
      });
    },
  );

  test("codex with a provider of its own: another account reads what was compacted", async () => {
    await inWorld(async (world) => {
      world.write(".codex/config.toml", `model_auto_compact_token_limit = 2000\n${CODEX_CONFIG}`);
      await world.ctl("connect", "codex", "--own-provider", "--yes");
      const { exec } = codexIn(world);
      const first = await nextAccount(world);
      expect((await exec("say one")).exit).toBe(0);
      expect((await exec("resume", "--last", "say two")).err).toContain("context compacted");
      await world.upstream.exhaust(first);
      const run = await exec("resume", "--last", "say three");
      expect(run.out).toMatch(/^SIM \w+ says: say three\n$/);
      expect(run.out).not.toContain(first);
      const bodies = (await world.upstream.settled(isTurn)).filter(isTurn).map(({ body }) => JSON.stringify(body));
      expect(bodies.some((body) => body.includes("compaction_trigger"))).toBe(false);
    });
  });

  test("opencode: from no configuration at all; an account runs out on the way; then there is none again", async () => {
    const { opencode } = installClients();
    await inWorld(async (world) => {
      const folder = join(world.home, ".config", "opencode");
      rmSync(folder, { recursive: true });
      await world.ctl("connect", "opencode", "--yes");
      const first = await nextAccount(world);
      await world.upstream.exhaust(first);
      const run = await world.run([opencode, "run", "say hello"], { env: OPENCODE_OFFLINE, limitMs: 150_000 });
      expect(run.out).toMatch(/^SIM \w+ says: "say hello"\n$/);
      expect(run.out).not.toContain(first);
      expect(run.exit).toBe(0);
      await world.ctl("disconnect", "--all", "--yes");
      // What OpenCode itself puts there is OpenCode's, and says nothing of us.
      const left = existsSync(folder) ? readdirSync(folder) : [];
      expect(left.filter((name) => /^tui\.jsonc?$|^plugins?$/.test(name))).toEqual([]);
      for (const name of left.filter((name) => /\.jsonc?$/.test(name)))
        expect(readFileSync(join(folder, name), "utf8")).not.toContain("rotor");
    });
  });
});

/** The file of the conversation that began with `prompt`; one letter a byte. */
function conversation(world: World, prompt: string): { path: string; text: string } {
  const folder = join(world.home, ".codex", "sessions");
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const path = join(folder, name);
    if (!name.endsWith(".jsonl")) continue;
    const text = readFileSync(path, "latin1");
    if (text.includes(prompt)) return { path, text };
  }
  throw new Error(`no conversation began with ${prompt}`);
}
