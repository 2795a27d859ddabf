/**
 * Where everything lives, for each platform and every override; long sockets move, everything else stays.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { SOCKET_PATH_MAX_BYTES } from "../../src/base/bounds.ts";
import type { Env, Host } from "../../src/base/env.ts";
import { resolvePaths } from "../../src/base/paths.ts";

const hostOf = (platform: NodeJS.Platform, env: Env = {}, homeDir = "/home/ada"): Host => ({
  env,
  platform,
  homeDir,
  tempDir: "/tmp",
  uid: 1000,
});

test("Linux without any XDG variable (cron, ssh)", () => {
  expect(resolvePaths(hostOf("linux"))).toEqual({
    dataDir: "/home/ada/.local/share/rotor",
    configFile: "/home/ada/.config/rotor/config.toml",
    configDir: "/home/ada/.config/rotor",
    database: "/home/ada/.local/share/rotor/rotor.db",
    backupDir: "/home/ada/.local/share/rotor/backups",
    damagedDir: "/home/ada/.local/share/rotor/damaged",
    lockFile: "/home/ada/.local/share/rotor/rotor.lock",
    daemonFile: "/home/ada/.local/share/rotor/daemon.json",
    connectionsDir: "/home/ada/.local/share/rotor/connections",
    keyFile: "/home/ada/.config/rotor/rotor.key",
    socket: "/home/ada/.local/share/rotor/run/rotor.sock",
    logFile: "/home/ada/.local/state/rotor/rotor.log",
  });
});

test("Linux with all XDG variables", () => {
  const env = { XDG_DATA_HOME: "/d", XDG_CONFIG_HOME: "/c", XDG_STATE_HOME: "/s", XDG_RUNTIME_DIR: "/run/user/1000" };
  const paths = resolvePaths(hostOf("linux", env));
  expect([paths.dataDir, paths.configFile, paths.logFile, paths.socket]).toEqual([
    "/d/rotor",
    "/c/rotor/config.toml",
    "/s/rotor/rotor.log",
    "/run/user/1000/rotor/rotor.sock",
  ]);
});

test("the daemon file does not depend on XDG_RUNTIME_DIR: a ctl from cron finds the daemon of a desktop", () => {
  const desktop = resolvePaths(hostOf("linux", { XDG_RUNTIME_DIR: "/run/user/1000" }));
  const cron = resolvePaths(hostOf("linux"));
  expect(cron.daemonFile).toBe(desktop.daemonFile);
});

test("an empty variable is an absent one", () => {
  const names = [
    "ROTOR_HOME",
    "ROTOR_CONFIG",
    "ROTOR_SOCKET",
    "ROTOR_LOG_FILE",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
  ];
  const env = Object.fromEntries(names.map((name) => [name, ""]));
  expect(resolvePaths(hostOf("linux", env))).toEqual(resolvePaths(hostOf("linux")));
});

test("macOS", () => {
  const paths = resolvePaths(hostOf("darwin", {}, "/Users/ada"));
  expect(paths.dataDir).toBe("/Users/ada/Library/Application Support/Rotor");
  expect(paths.configFile).toBe("/Users/ada/Library/Application Support/Rotor/config.toml");
  expect(paths.logFile).toBe("/Users/ada/Library/Logs/Rotor/rotor.log");
});

test("Windows, with and without APPDATA", () => {
  expect(resolvePaths(hostOf("win32", { APPDATA: "/roaming" })).dataDir).toBe("/roaming/Rotor");
  expect(resolvePaths(hostOf("win32")).dataDir).toBe("/home/ada/AppData/Roaming/Rotor");
  expect(resolvePaths(hostOf("win32", { APPDATA: "/roaming" })).logFile).toBe("/roaming/Rotor/logs/rotor.log");
});

for (const platform of ["linux", "darwin", "win32"] as const) {
  test(`ROTOR_HOME on ${platform} moves everything under one folder`, () => {
    const env = {
      ROTOR_HOME: "/r",
      XDG_DATA_HOME: "/d",
      XDG_CONFIG_HOME: "/c",
      XDG_STATE_HOME: "/s",
      XDG_RUNTIME_DIR: "/x",
    };
    for (const path of Object.values(resolvePaths(hostOf(platform, env)))) expect(path.startsWith("/r")).toBe(true);
  });
}

test("single overrides move one thing each", () => {
  const plain = resolvePaths(hostOf("linux", { ROTOR_HOME: "/r" }));
  const cases = [
    ["ROTOR_CONFIG", "configFile"],
    ["ROTOR_SOCKET", "socket"],
    ["ROTOR_LOG_FILE", "logFile"],
  ] as const;
  for (const [name, field] of cases) {
    expect(resolvePaths(hostOf("linux", { ROTOR_HOME: "/r", [name]: "/elsewhere/x" }))).toEqual({
      ...plain,
      [field]: "/elsewhere/x",
    });
  }
});

test("two homes share nothing", () => {
  const a = Object.values(resolvePaths(hostOf("linux", { ROTOR_HOME: "/a" })));
  const b = new Set(Object.values(resolvePaths(hostOf("linux", { ROTOR_HOME: "/b" }))));
  expect(a.filter((path) => b.has(path))).toEqual([]);
});

test("whatever the home, the socket fits sun_path, stays the same and is nobody else's", () => {
  const segment = fc.stringMatching(/^[a-zé]{1,30}$/);
  const home = fc.array(segment, { minLength: 1, maxLength: 8 }).map((parts) => `/${parts.join("/")}`);
  fc.assert(
    fc.property(home, home, (one, other) => {
      const socketOf = (path: string) => resolvePaths(hostOf("linux", { ROTOR_HOME: path })).socket;
      expect(Buffer.byteLength(socketOf(one))).toBeLessThanOrEqual(SOCKET_PATH_MAX_BYTES);
      expect(socketOf(one)).toBe(socketOf(one));
      if (one !== other) expect(socketOf(one)).not.toBe(socketOf(other));
      const natural = `${one}/rotor.sock`;
      if (Buffer.byteLength(natural) <= SOCKET_PATH_MAX_BYTES) expect(socketOf(one)).toBe(natural);
    }),
  );
});

test("a socket that had to move names its owner, so that two accounts of one host do not meet in the temp folder", () => {
  const env = { ROTOR_HOME: `/${"deep/".repeat(30)}` };
  const mine = resolvePaths(hostOf("linux", env)).socket;
  expect(mine).toMatch(/^\/tmp\/rotor-1000-[0-9a-f]{12}\/rotor\.sock$/);
  expect(resolvePaths({ ...hostOf("linux", env), uid: 1001 }).socket).not.toBe(mine);
});

test("a socket that somebody named is taken at their word, however long", () => {
  const path = `/${"x".repeat(150)}`;
  expect(resolvePaths(hostOf("linux", { ROTOR_SOCKET: path })).socket).toBe(path);
});
