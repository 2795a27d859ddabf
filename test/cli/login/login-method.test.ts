/** Which way to sign in a machine allows, how a browser is opened there, and a QR code that can be scanned or is left out. */
import { expect, test } from "bun:test";
import { encode } from "uqr";
import type { Env } from "../../../src/base/env.ts";
import { openerOf } from "../../../src/cli/login/browser.ts";
import { type AskedMethod, chooseMethod, methodFlag } from "../../../src/cli/login/login-method.ts";
import { qrLines } from "../../../src/cli/login/qr-code.ts";
import { LoginMethod } from "../../../src/gen/rotor/v1/login_service_pb.ts";

test("without an order: a browser where one can be opened, else a code, and why", () => {
  const cases: [NodeJS.Platform, Env, RegExp | null][] = [
    ["linux", {}, /no display/],
    ["linux", { DISPLAY: ":0" }, null],
    ["linux", { DISPLAY: "" }, /no display/],
    ["linux", { WAYLAND_DISPLAY: "wayland-0" }, null],
    ["linux", { DISPLAY: "localhost:10.0", SSH_CONNECTION: "192.0.2.1 5 192.0.2.2 22" }, /SSH/],
    ["linux", { DISPLAY: ":0", SSH_TTY: "/dev/pts/0" }, /SSH/],
    ["linux", { DISPLAY: ":0", ROTOR_NO_BROWSER: "1" }, /ROTOR_NO_BROWSER/],
    ["linux", { DISPLAY: ":0", ROTOR_NO_BROWSER: "" }, null],
    ["freebsd", {}, /no display/],
    ["darwin", {}, null],
    ["darwin", { SSH_TTY: "/dev/ttys001" }, /SSH/],
    ["darwin", { ROTOR_NO_BROWSER: "1" }, /ROTOR_NO_BROWSER/],
    ["win32", {}, null],
    ["win32", { SSH_CONNECTION: "x" }, /SSH/],
  ];
  for (const [platform, env, because] of cases) {
    const chosen = chooseMethod(null, { platform, env });
    const browser = because === null;
    expect({ platform, env, ...chosen }).toMatchObject({
      method: browser ? LoginMethod.BROWSER : LoginMethod.DEVICE,
      opens: browser,
      because: browser ? null : expect.stringMatching(because),
    });
    expect(methodFlag(chosen)).toBe("");
  }
});

test("an order is obeyed on every machine, and is what a hint repeats", () => {
  const orders: [AskedMethod, LoginMethod, boolean][] = [
    ["browser", LoginMethod.BROWSER, true],
    ["no-browser", LoginMethod.BROWSER, false],
    ["device", LoginMethod.DEVICE, false],
    ["manual", LoginMethod.MANUAL, false],
  ];
  for (const env of [{}, { DISPLAY: ":0" }, { SSH_TTY: "x", ROTOR_NO_BROWSER: "1" }]) {
    for (const [asked, method, opens] of orders) {
      const chosen = chooseMethod(asked, { platform: "linux", env });
      expect(chosen).toEqual({ method, asked, opens, because: null });
      expect(methodFlag(chosen)).toBe(` --${asked}`);
    }
  }
});

test("the opener gets the address as one argument, and only addresses of the web", () => {
  const url = "https://auth.example.org/a?x=1&y=$(id)";
  expect(openerOf("linux", url)).toEqual({ command: "xdg-open", args: [url] });
  expect(openerOf("darwin", url)).toEqual({ command: "open", args: [url] });
  expect(openerOf("win32", url)?.args).toEqual(["url.dll,FileProtocolHandler", url]);
  for (const other of ["", "file:///etc/passwd", "javascript:alert(1)", "--help", "/bin/sh"]) {
    expect(openerOf("linux", other)).toBeNull();
  }
});

const PAGE = "https://auth.example.org/codex/device";

/** The modules that the lines show, true for dark. */
function modulesOf(lines: readonly string[], colour: boolean): boolean[][] {
  const colours = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");
  return lines.flatMap((line) => {
    const halves = [...line.replace(colours, "")];
    const rows = [halves.map((half) => "█▀".includes(half)), halves.map((half) => "█▄".includes(half))];
    return colour ? rows : rows.map((row) => row.map((ink) => !ink));
  });
}

test("the drawn code holds the very modules, with colour and without", () => {
  const { data, size } = encode(PAGE, { ecc: "L", border: 2 });
  for (const colour of [true, false]) {
    const lines = qrLines(PAGE, { columns: 80, colour });
    expect(lines).toHaveLength(Math.ceil(size / 2));
    expect(modulesOf(lines, colour).slice(0, size)).toEqual(data);
  }
});

test("a code that does not fit, or that no terminal would show, is left out", () => {
  const { size } = encode(PAGE, { ecc: "L", border: 2 });
  expect(qrLines(PAGE, { columns: size, colour: false })).not.toEqual([]);
  expect(qrLines(PAGE, { columns: size - 1, colour: false })).toEqual([]);
  expect(qrLines(PAGE, { columns: 0, colour: true })).toEqual([]);
  expect(qrLines(PAGE, { columns: null, colour: true })).toEqual([]);
  for (const line of qrLines(PAGE, { columns: 80, colour: true })) expect(Bun.stringWidth(line)).toBe(size);
});
