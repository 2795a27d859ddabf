/** The Codex desktop app on three systems: what is written where, that it is run as meant, and that nothing of it stays. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Desk, openDesk } from "../harness.ts";

let desk: Desk;
beforeAll(async () => {
  desk = await openDesk();
});
afterAll(() => desk.close());

const home = (...parts: string[]) => join(desk.home, ...parts);
const read = (path: string) => readFileSync(path, "utf8");
const BEFORE = '# mine\nmodel = "gpt-5.5"\n';

function place(path: string, text = ""): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** Everything below the home but Rotor's own folder, with what is in it. */
function tree(): Record<string, string> {
  const names = readdirSync(desk.home, { recursive: true, encoding: "utf8" }).filter(
    (name) => !/^rotor(\/|$)/.test(name),
  );
  return Object.fromEntries(
    names.sort().map((name) => [name, statSync(home(name)).isDirectory() ? "" : read(home(name))]),
  );
}

const LINUX = { platform: "linux", env: { XDG_DATA_DIRS: "/nowhere" } } as const;
const MAC = { platform: "darwin", env: {} } as const;
const WINDOWS = { platform: "win32", env: {} } as const;
type System = typeof LINUX | typeof MAC | typeof WINDOWS;

const run = (system: System, ...argv: string[]) => desk.runWith(system, ...argv);
const stateOf = async (system: System) => {
  const { tools } = JSON.parse((await run(system, "connect", "--json")).out) as {
    tools: { name: string; state: string; drift: string[]; files: string[] }[];
  };
  return tools.find(({ name }) => name === "codex-app")!;
};

beforeEach(() => void place(home(".codex", "config.toml"), BEFORE));
afterEach(async () => {
  await desk.run("disconnect", "--all", "--yes");
  for (const name of readdirSync(desk.home)) if (name !== "rotor") rmSync(home(name), { recursive: true, force: true });
});

describe.each([
  [
    "Linux",
    LINUX,
    () => place(home(".local", "share", "applications", "codex-desktop.desktop"), "[Desktop Entry]\n"),
    [".local/share/applications/rotor-codex.desktop", ".config/autostart/rotor.desktop"],
  ],
  [
    "macOS",
    MAC,
    () => place(home("Applications", "Codex.app", "Contents", "Info.plist")),
    [
      "Applications/Codex (Rotor).app/Contents/Info.plist",
      "Applications/Codex (Rotor).app/Contents/MacOS/launch",
      "Library/LaunchAgents/rotor.codex-app.plist",
    ],
  ],
  [
    "Windows",
    WINDOWS,
    () => place(home("AppData", "Local", "Packages", "OpenAI.Codex_2p2nqsd0c76g0", "x")),
    [
      "AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Codex (Rotor).cmd",
      "AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Startup/Rotor.cmd",
    ],
  ],
] as const)("%s", (_, system, install, files) => {
  test("connected: config, launcher and start with the session; disconnected: all as before", async () => {
    install();
    const before = tree();
    expect((await run(system, "connect", "codex-app", "--yes")).exit).toBe(0);
    const config = read(home(".codex", "config.toml"));
    expect(config).toStartWith(BEFORE.trimEnd());
    expect(config).toMatch(/openai_base_url = "http:\/\/127\.0\.0\.1:4747\/k\/rtr_/);
    expect(config).toMatch(/chatgpt_base_url = "http:\/\/localhost:4747\/k\/rtr_/);
    // Its login is its own, and it must have one: no stand-in.
    expect(existsSync(home(".codex", "auth.json"))).toBe(false);
    for (const file of files) {
      expect(existsSync(home(file))).toBe(true);
      expect(read(home(file))).not.toContain("rtr_");
    }
    expect((await stateOf(system)).state).toBe("connected");
    expect((await run(system, "disconnect", "codex-app", "--yes")).exit).toBe(0);
    expect(tree()).toEqual(before);
  });

  test("without the app there is no launcher, and that is said", async () => {
    const { err, exit } = await run(system, "connect", "codex-app", "--yes", "--dry-run");
    expect(exit).toBe(0);
    expect(err).toContain("the app was not found here");
    expect(err).not.toContain("Codex (Rotor)");
  });

  test("what an update of the app, or somebody, took away is put back by doctor --fix", async () => {
    install();
    await run(system, "connect", "codex-app", "--yes");
    for (const file of files) rmSync(home(file));
    writeFileSync(home(".codex", "config.toml"), BEFORE);
    const drifted = await stateOf(system);
    expect(drifted.state).toBe("drifted");
    expect(drifted.drift.length).toBeGreaterThan(files.length);
    await run(system, "doctor", "--fix", "--offline");
    expect((await stateOf(system)).state).toBe("connected");
    for (const file of files) expect(existsSync(home(file))).toBe(true);
    await run(system, "disconnect", "codex-app", "--yes");
    expect(read(home(".codex", "config.toml"))).toBe(BEFORE);
  });
});

test("the launcher starts Rotor, then the app; the entries name it as their specification wants", async () => {
  place(home(".local", "share", "applications", "codex.desktop"), "[Desktop Entry]\n");
  const bin = home("with 'quote\" $x", "bin");
  for (const [name, line] of [
    ["rotor", 'echo "rotor $* in $ROTOR_HOME" >> "$LOG"'],
    ["gtk-launch", 'echo "app $*" >> "$LOG"'],
  ] as const)
    chmodSync(place(join(bin, name), `#!/bin/sh\n${line}\n`), 0o755);
  const selfCommand = { command: join(bin, "rotor"), args: [] };
  await desk.runWith({ ...LINUX, selfCommand }, "connect", "codex-app", "--yes");
  const entry = read(home(".local", "share", "applications", "rotor-codex.desktop"));
  const launcher = /^Exec="?([^"\n]+)"?$/m.exec(entry)![1]!;
  const log = home("log");
  const done = spawnSync(launcher, [], { env: { PATH: `${bin}:/usr/bin:/bin`, LOG: log }, encoding: "utf8" });
  expect(done).toMatchObject({ status: 0, stderr: "" });
  expect(read(log)).toBe(`rotor up in ${home("rotor")}\napp codex\n`);
  expect(read(home(".config", "autostart", "rotor.desktop"))).toContain(`Exec=env ROTOR_HOME=${home("rotor")} `);
});

test("with a connected CLI the config is shared; the other way round is refused with the way out", async () => {
  await desk.run("connect", "codex", "--yes");
  const config = read(home(".codex", "config.toml"));
  expect((await run(LINUX, "connect", "codex-app", "--yes")).err).toContain("that rotor connect codex has written");
  expect(read(home(".codex", "config.toml"))).toBe(config);
  await run(LINUX, "disconnect", "codex-app", "--yes");
  expect(read(home(".codex", "config.toml"))).toBe(config);
  await desk.run("disconnect", "codex", "--yes");

  await run(LINUX, "connect", "codex-app", "--yes");
  const refused = await desk.run("connect", "codex", "--yes");
  expect(refused.exit).toBe(5);
  expect(refused.err).toContain("rotor disconnect codex-app");
});
