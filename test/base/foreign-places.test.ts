/** Where other programs keep their logins: their own order, their own variables, on each system. */
import { describe, expect, test } from "bun:test";
import { type ForeignPlace, type ForeignProduct, foreignPlaces } from "../../src/base/foreign-places.ts";

const at = (env: Record<string, string> = {}, platform: NodeJS.Platform = "linux", homeDir = "/home/a") =>
  foreignPlaces({ env, platform, homeDir });
const of = (product: ForeignProduct, places = at()): ForeignPlace => places.find((one) => one.product === product)!;
const windows = (env: Record<string, string> = {}) => at(env, "win32", "C:\\Users\\a");

describe("roots", () => {
  for (const [name, product, places, roots, setBy] of [
    ["Codex", "codex", at(), ["/home/a/.codex"], null],
    ["Codex elsewhere", "codex", at({ CODEX_HOME: " /c " }), ["/c"], "CODEX_HOME"],
    ["OpenCode", "opencode", at(), ["/home/a/.local/share/opencode"], null],
    ["OpenCode elsewhere", "opencode", at({ XDG_DATA_HOME: "/d" }), ["/d/opencode"], "XDG_DATA_HOME"],
    ["opencode-multi-auth", "opencode-multi-auth", at(), ["/home/a/.config/opencode-multi-auth"], null],
    [
      "its folder",
      "opencode-multi-auth",
      at({ OPENCODE_MULTI_AUTH_STORE_DIR: "/s" }),
      ["/s"],
      "OPENCODE_MULTI_AUTH_STORE_DIR",
    ],
    [
      "its file, which wins",
      "opencode-multi-auth",
      at({ OPENCODE_MULTI_AUTH_STORE_DIR: "/s", OPENCODE_MULTI_AUTH_STORE_FILE: "/t/x.json" }),
      ["/t"],
      "OPENCODE_MULTI_AUTH_STORE_FILE",
    ],
    [
      "codex-multi-auth",
      "codex-multi-auth",
      at(),
      ["/home/a/.codex/multi-auth", "/home/a/DevTools/config/codex/multi-auth", "/home/a/.codex"],
      null,
    ],
    [
      "its folder, verbatim",
      "codex-multi-auth",
      at({ CODEX_MULTI_AUTH_DIR: "/m", CODEX_HOME: "/c" }),
      ["/m"],
      "CODEX_MULTI_AUTH_DIR",
    ],
    [
      "under another Codex home, strictly",
      "codex-multi-auth",
      at({ CODEX_HOME: "/c" }),
      ["/c/multi-auth"],
      "CODEX_HOME",
    ],
    [
      "under the very same Codex home",
      "codex-multi-auth",
      at({ CODEX_HOME: "/home/a/.codex/" }),
      [...of("codex-multi-auth").roots],
      null,
    ],
    ["oc-codex-multi-auth", "oc-codex-multi-auth", at(), ["/home/a/.opencode"], null],
    ["pull request 97", "pr97", at(), ["/home/a/.local/share/opencode"], null],
    ["pull request 97 on Windows", "pr97", windows({ APPDATA: "C:\\R" }), ["C:\\R\\opencode"], null],
    ["CLIProxyAPI", "cliproxyapi", windows(), ["C:\\Users\\a\\.cli-proxy-api"], null],
  ] as const) {
    test(name, () => {
      const place = of(product, places);
      expect(place.roots).toEqual([...roots]);
      expect(place.setBy).toBe(setBy);
    });
  }

  test("on Windows the case of a path means nothing, and the home is the profile's", () => {
    const place = of("codex-multi-auth", windows({ USERPROFILE: "D:\\Me", CODEX_HOME: "d:\\me\\.CODEX" }));
    expect(place.roots[0]).toBe("D:\\Me\\.codex\\multi-auth");
  });
});

test("a store with a name of its own has its copies named after it", () => {
  const place = of("opencode-multi-auth", at({ OPENCODE_MULTI_AUTH_STORE_FILE: "/t/x.json" }));
  expect(place.stores).toEqual(["x.json"]);
  expect(place.leftovers.map((one) => one.pattern)).toEqual(
    expect.arrayContaining(["x.json.bak", "x.json.lkg", "x.json.tmp-*", "/home/a/.codex-multi/*/auth.json"]),
  );
  expect(place.elsewhere).toContain("/home/a/.codex/auth.json");
});

test("no leftover is a store that counts", () => {
  for (const { leftovers, stores } of at())
    for (const { pattern, what } of leftovers) {
      expect(stores).not.toContain(pattern);
      expect(what).not.toBe("");
    }
});

test("every product that Rotor replaces has a place and leftovers", () => {
  for (const product of ["opencode-multi-auth", "codex-multi-auth", "oc-codex-multi-auth"] as const) {
    const place = of(product);
    expect(place.stores.length).toBeGreaterThan(0);
    expect(place.fallbacks.length).toBeGreaterThan(0);
    expect(place.leftovers.length).toBeGreaterThan(2);
  }
});
