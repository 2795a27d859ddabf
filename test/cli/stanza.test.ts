/** The stanzas that clients are given. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { clientBase, stanzaFor } from "../../src/cli/stanza.ts";
import { type Desk, openDesk } from "./harness.ts";

const URL_HERE = "http://127.0.0.1:4747";

test("codex: its own named section with the key from the environment", () => {
  expect(parse(stanzaFor("codex", URL_HERE).text)).toEqual({
    model_provider: "rotor",
    model_providers: {
      rotor: {
        name: "Rotor",
        base_url: "http://127.0.0.1:4747/backend-api/codex",
        wire_api: "responses",
        env_key: "ROTOR_KEY",
        env_http_headers: { "x-rotor-project": "ROTOR_PROJECT" },
      },
    },
  });
});

test("opencode: the built-in openai entry with another base", () => {
  expect(JSON.parse(stanzaFor("opencode", URL_HERE).text)).toMatchObject({
    provider: { openai: { options: { baseURL: "http://127.0.0.1:4747/v1", apiKey: "{env:ROTOR_KEY}" } } },
    small_model: "openai/gpt-5.5",
  });
});

test("sdk snippets and the shell point at /v1 and hold no secret", () => {
  for (const client of ["shell", "openai-python", "openai-node", "vercel-ai", "aider"] as const) {
    const { text } = stanzaFor(client, "http://127.0.0.1:50123");
    expect(text).toContain("http://127.0.0.1:50123/v1");
    expect(text).toContain("ROTOR_KEY");
    expect(text).not.toContain("rtr_");
  }
});

test("clients on this machine dial 127.0.0.1, never localhost or a wildcard", () => {
  for (const host of ["localhost", "0.0.0.0", "[::]", "[::1]", "127.0.0.1"]) {
    expect(clientBase(`http://${host}:4747`)).toBe("http://127.0.0.1:4747");
  }
  expect(clientBase("http://192.168.1.5:4747")).toBe("http://192.168.1.5:4747");
});

let desk: Desk;
beforeAll(async () => {
  desk = await openDesk();
});
afterAll(() => desk.close());

test("--print needs no daemon; the stanza alone is on stdout", async () => {
  const { out, err, exit } = await desk.runWith(
    { env: { ROTOR_SOCKET: "/nowhere.sock" } },
    "connect",
    "codex",
    "--print",
  );
  expect(exit).toBe(0);
  expect(out).toBe(stanzaFor("codex", URL_HERE).text);
  expect(err).toContain("put this into ~/.codex/config.toml");
  expect(err).toContain("export ROTOR_KEY=$(rotor key create codex)");
});

test("the address is the daemon's when it runs, else the config's", async () => {
  const folder = join(desk.home, "rotor");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.toml"), "[proxy]\nport = 5000\n");
  expect((await desk.run("connect", "shell", "--print")).out).toContain("http://127.0.0.1:5000/v1");
  const file = { pid: process.pid, version: "0.1.0", socket: desk.door.path, proxy_url: "http://127.0.0.1:50001" };
  writeFileSync(join(folder, "daemon.json"), JSON.stringify(file));
  expect((await desk.run("connect", "shell", "--print")).out).toContain("http://127.0.0.1:50001/v1");
});

test("--key makes a key and hands it over beside the stanza", async () => {
  const codex = await desk.run("connect", "codex", "--print", "--key", "codex-key");
  expect(codex.out).not.toContain("rtr_");
  expect(codex.err).toMatch(/export ROTOR_KEY=rtr_\S+/);
  const shell = await desk.run("connect", "shell", "--print", "--key", "shell-key");
  expect(shell.out).toMatch(/^export ROTOR_KEY=rtr_\S+\nexport OPENAI_BASE_URL=/);
  const json = JSON.parse((await desk.run("connect", "python", "--print", "--key", "py", "--json")).out);
  expect(json.env.ROTOR_KEY).toStartWith("rtr_");
  expect(json.stanza).toContain('os.environ["ROTOR_KEY"]');
});

test("an OpenAI login inside OpenCode is warned of: it would go around us", async () => {
  const data = join(desk.home, "xdg");
  mkdirSync(join(data, "opencode"), { recursive: true });
  writeFileSync(join(data, "opencode", "auth.json"), JSON.stringify({ openai: { type: "oauth" } }));
  const warned = await desk.runWith({ env: { XDG_DATA_HOME: data } }, "connect", "opencode", "--print");
  expect(warned.err).toContain("warning: OpenCode holds an OpenAI login");
  writeFileSync(join(data, "opencode", "auth.json"), JSON.stringify({ openai: { type: "api" } }));
  const fine = await desk.runWith({ env: { XDG_DATA_HOME: data } }, "connect", "opencode", "--print");
  expect(fine.err).not.toContain("warning");
});
