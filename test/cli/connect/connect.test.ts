/** `rotor connect` and `rotor disconnect` as people use them: what is shown, asked, made, listed, and left behind. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OPENCODE_PLUGIN_TEXT, OPENCODE_TUI_TEXT } from "../../../src/cli/plugin-text.ts";
import { type Desk, openDesk } from "../harness.ts";

let desk: Desk;
beforeAll(async () => {
  desk = await openDesk();
});
afterAll(() => desk.close());

const codexHome = () => join(desk.home, ".codex");
const config = () => join(codexHome(), "config.toml");
const read = (path: string) => readFileSync(path, "utf8");
const BEFORE = '# mine\nmodel = "gpt-5.5" # keep\n\n[tui]\na = 1\n';

beforeEach(async () => {
  await desk.run("disconnect", "--all", "--yes");
  rmSync(codexHome(), { recursive: true, force: true });
  mkdirSync(codexHome());
  writeFileSync(config(), BEFORE, { mode: 0o644 });
});

const keysNow = async () => {
  const { keys } = JSON.parse((await desk.run("key", "list", "--json")).out) as {
    keys: { id: string; name: string; revokeTime?: string }[];
  };
  return keys.filter((key) => key.revokeTime === undefined).map((key) => key.name);
};
const stateOf = async (tool: string) => {
  const { tools } = JSON.parse((await desk.run("connect", "--json")).out) as {
    tools: { name: string; state: string; drift: string[]; keyName: string | null; profile: string | null }[];
  };
  return tools.find(({ name }) => name === tool)!;
};

describe("codex", () => {
  test("a dry run shows the change and makes nothing, not even a key", async () => {
    const { out, err, exit } = await desk.run("connect", "codex", "--dry-run");
    expect(exit).toBe(0);
    expect(out + err).toContain('+openai_base_url = "http://127.0.0.1:4747/k/rtr_new_…/backend-api/codex"');
    expect(read(config())).toBe(BEFORE);
    expect(await keysNow()).toEqual([]);
  });

  test("nobody to ask: refused, and the way to mean it is said", async () => {
    const { err, exit } = await desk.run("connect", "codex");
    expect(exit).toBe(5);
    expect(err).toContain("try: rotor connect codex --yes");
    expect(read(config())).toBe(BEFORE);
  });

  test("asked and declined: nothing is changed", async () => {
    const { err } = await desk.runWith({ answer: "n", columns: 100 }, "connect", "codex");
    expect(err).toContain("nothing was changed");
    expect(read(config())).toBe(BEFORE);
  });

  test("connected: the two addresses, a key of its own, nobody else may read it; then all is as before", async () => {
    const { exit, err } = await desk.run("connect", "codex", "--yes");
    expect(exit).toBe(0);
    const text = read(config());
    const secret = /127\.0\.0\.1:4747\/k\/(rtr_[\w-]+)\/backend-api\/codex"/.exec(text)![1]!;
    expect(text).toContain(`chatgpt_base_url = "http://localhost:4747/k/${secret}/backend-api"\n`);
    expect(text.startsWith('# mine\nmodel = "gpt-5.5" # keep\n')).toBe(true);
    expect(err).not.toContain(secret);
    expect(statSync(config()).mode & 0o777).toBe(0o600);
    expect(read(join(codexHome(), "auth.json"))).toBe('{"OPENAI_API_KEY":"rotor"}\n');
    expect(await keysNow()).toEqual([expect.stringMatching(/^codex-/)]);
    const folder = join(desk.home, "rotor", "connections");
    expect(statSync(join(folder, "codex.key")).mode & 0o777).toBe(0o600);
    expect(read(join(folder, "codex.json"))).not.toContain(secret);
    expect((await stateOf("codex")).state).toBe("connected");

    const again = await desk.run("connect", "codex", "--yes");
    expect(again.err).toContain("there is nothing to change");
    expect(read(config())).toBe(text);
    expect(await keysNow()).toHaveLength(1);

    expect((await desk.run("disconnect", "codex", "--yes")).exit).toBe(0);
    expect(read(config())).toBe(BEFORE);
    expect(statSync(config()).mode & 0o777).toBe(0o644);
    expect(readdirSync(codexHome())).toEqual(["config.toml"]);
    expect(await keysNow()).toEqual([]);
    expect(existsSync(join(folder, "codex.json")) || existsSync(join(folder, "codex.key"))).toBe(false);
    expect((await stateOf("codex")).state).toBe("absent");
  });

  test("a login that is there stays, and so does whatever another provider was", async () => {
    const login = join(codexHome(), "auth.json");
    writeFileSync(login, "{}");
    const before = 'model_provider = "azure"\n\n[model_providers.azure]\nname = "A"\n';
    writeFileSync(config(), before);
    await desk.run("connect", "codex", "--yes");
    expect(read(config())).toStartWith('model_provider = "openai"\n');
    // Looked at once more as it would be without us.
    expect((await desk.run("connect", "codex", "--yes")).err).toContain("there is nothing to change");
    expect(read(login)).toBe("{}");
    await desk.run("disconnect", "codex", "--yes");
    expect(read(config())).toBe(before);
  });

  test("drift is said with what mends it: a value of ours, a key that was revoked", async () => {
    await desk.run("connect", "codex", "--yes");
    writeFileSync(config(), read(config()).replace(/^openai_base_url.*$/m, 'openai_base_url = "http://elsewhere"'));
    const drifted = await stateOf("codex");
    expect(drifted).toMatchObject({ state: "drifted", drift: [`${config()}: openai_base_url is not what we wrote`] });
    const undone = await desk.run("disconnect", "codex", "--yes");
    expect(undone.err).toContain("openai_base_url was changed by somebody else and stays");
    expect(read(config())).toContain("http://elsewhere");
    expect(read(config())).not.toContain("rtr_");

    writeFileSync(config(), BEFORE);
    await desk.run("connect", "codex", "--yes");
    const { keyName } = await stateOf("codex");
    await desk.run("key", "revoke", keyName!, "--yes");
    expect((await stateOf("codex")).drift).toEqual([`its key ${keyName} is not good any more`]);
    await desk.run("connect", "codex", "--yes");
    expect((await stateOf("codex")).state).toBe("connected");
  });

  test("a file that others edited beside us is no drift", async () => {
    await desk.run("connect", "codex", "--yes");
    writeFileSync(config(), `${read(config())}\n[notice]\nseen = true\n`);
    expect((await stateOf("codex")).state).toBe("connected");
  });

  test("a provider of its own: the key in the section, and only there", async () => {
    await desk.run("connect", "codex", "--own-provider", "--yes");
    expect(read(config())).toMatch(/\[model_providers\.rotor\]\nname = "Rotor"\n[\s\S]*supports_websockets = true\n/);
    expect(existsSync(join(codexHome(), "auth.json"))).toBe(false);
    // The usual way again, in one step.
    await desk.run("connect", "codex", "--yes");
    expect(read(config())).not.toContain("model_providers");
    await desk.run("disconnect", "codex", "--yes");
    expect(read(config())).toBe(BEFORE);
    expect((await desk.run("connect", "opencode", "--own-provider", "--yes")).exit).toBe(2);
  });

  test("in a repository of dotfiles it warns of the key", async () => {
    mkdirSync(join(codexHome(), ".git"));
    const { err } = await desk.run("connect", "codex", "--yes");
    expect(err).toContain("now holds a client key, and it is in a git repository");
  });

  test("a home that has moved: its files are found in the new one", async () => {
    await desk.run("connect", "codex", "--yes");
    const receipt = join(desk.home, "rotor", "connections", "codex.json");
    writeFileSync(receipt, read(receipt).replaceAll(desk.home, "/old/home"));
    const { err } = await desk.run("disconnect", "codex", "--yes");
    expect(err).toContain(`/old/home/.codex/config.toml is now ${config()}`);
    expect(read(config())).toBe(BEFORE);
  });

  test("its answer as JSON", async () => {
    const { out } = await desk.run("connect", "codex", "--yes", "--json");
    expect(JSON.parse(out)).toMatchObject({
      tool: "codex",
      key: { name: expect.stringMatching(/^codex-/) },
      files: [
        { path: config(), change: "edited" },
        { path: join(codexHome(), "auth.json"), change: "made" },
      ],
    });
    const undone = JSON.parse((await desk.run("disconnect", "--all", "--yes", "--json")).out);
    expect(undone.tools[0].files.map(({ change }: { change: string }) => change)).toEqual(["removed", "edited"]);
  });
});

describe("other tools", () => {
  test("opencode: the plugin with what it must be told, its other half in tui.json, and all of it goes again", async () => {
    const folder = join(desk.home, ".config", "opencode");
    expect((await desk.run("connect", "opencode", "--yes")).exit).toBe(0);
    expect(read(join(folder, "plugins", "rotor.js"))).toBe(OPENCODE_PLUGIN_TEXT);
    const half = join(folder, "plugins", "rotor", "rotor-tui.js");
    expect(read(half)).toBe(OPENCODE_TUI_TEXT);
    expect(JSON.parse(read(join(folder, "tui.json")))).toEqual({ plugin: [`file://${half}`] });
    expect(JSON.parse(read(join(folder, "plugins", "rotor.json")))).toMatchObject({ home: join(desk.home, "rotor") });
    // The plugin asks for its key by itself.
    expect(await keysNow()).toEqual([]);
    expect(await stateOf("opencode")).toMatchObject({ state: "connected", keyName: "opencode" });
    expect((await desk.run("connect", "opencode", "--yes")).err).toContain("there is nothing to change");
    await desk.run("disconnect", "opencode", "--yes");
    expect(existsSync(join(desk.home, ".config"))).toBe(false);
  });

  test("opencode: other plugins of the terminal stay, whoever came first", async () => {
    const folder = join(desk.home, "oc");
    const tui = join(folder, "tui.jsonc");
    mkdirSync(folder);
    const before = '{\n  // mine\n  "plugin": ["one"] // so\n}\n';
    writeFileSync(tui, before);
    const run = (...argv: string[]) => desk.runWith({ env: { OPENCODE_CONFIG_DIR: folder } }, ...argv);
    await run("connect", "opencode", "--yes");
    expect(read(tui)).toContain('"plugin": ["one", "file://');
    writeFileSync(tui, read(tui).replace('"one", ', '"one", "two", '));
    expect((await run("connect", "--json")).out).toContain('"name":"opencode","title":"OpenCode","state":"connected"');
    await run("disconnect", "opencode", "--yes");
    expect(read(tui)).toBe(before.replace('"one"', '"one", "two"'));
    expect(readdirSync(folder)).toEqual(["tui.jsonc"]);
  });

  test("the shell: its file reads ours, once", async () => {
    const run = (...argv: string[]) => desk.runWith({ env: { SHELL: "/bin/zsh" } }, ...argv);
    writeFileSync(join(desk.home, ".zshrc"), "PS1=x");
    await run("connect", "shell", "--yes");
    await run("connect", "shell", "--yes");
    expect(read(join(desk.home, ".zshrc")).match(/shell\.env/g)).toHaveLength(2);
    expect(read(join(desk.home, "rotor", "connections", "shell.env"))).toMatch(
      /^export OPENAI_BASE_URL='http:\/\/127\.0\.0\.1:4747\/v1'\nexport OPENAI_API_KEY='rtr_/,
    );
    await run("disconnect", "shell", "--yes");
    expect(read(join(desk.home, ".zshrc"))).toBe("PS1=x");
  });

  test("a tool without a file: a key of its own and the text for it, without a question", async () => {
    const { out, err, exit } = await desk.run("connect", "python");
    expect(exit).toBe(0);
    expect(out).toContain('OpenAI(base_url="http://127.0.0.1:4747/v1"');
    expect(err).toContain("connections/openai-python.key");
    expect(await stateOf("openai-python")).toMatchObject({ state: "connected" });
    await desk.run("disconnect", "openai-python");
    expect(await keysNow()).toEqual([]);
  });

  test("what is not connected is not disconnected; a word is missing", async () => {
    expect((await desk.run("disconnect", "codex", "--yes")).exit).toBe(4);
    expect((await desk.run("disconnect")).exit).toBe(2);
    expect((await desk.run("disconnect", "--all")).err).toContain("nothing is connected");
  });
});
