/**
 * The Codex desktop app. It reads the config.toml of the CLI and asks our addresses there, and shows no word when nobody listens: so it gets,
 * beside that edit, an entry that has Rotor there when somebody signs in, and a launcher that sees to it before the app opens. Both name the
 * app as the system does, never a file of it: its updates change nothing, and nothing of its own is touched.
 *
 * From the documented places; the app itself was never run with this. What it talks through, `codex app-server` over stdio, is what the
 * tests run on this config.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../../base/env.ts";
import { builtInTasks, configOf } from "./codex.ts";
import { isHeldBy } from "./receipt.ts";
import type { Task } from "./task.ts";
import type { Ask, Tool } from "./tool.ts";

/** How the system knows the app, and where that was seen. */
interface App {
  readonly id: string;
  readonly place: string;
}

export const codexApp: Tool = {
  name: "codex-app",
  title: "the Codex desktop app",
  aliases: ["codex-desktop", "chatgpt-codex"],
  ways: {},
  peer: null,
  find: ({ host }) => appOf(host)?.place ?? null,
  async plan(ask) {
    const app = appOf(ask.host);
    // What `rotor connect codex` has written there does for both.
    const isShared = isHeldBy(ask.folder, "codex", configOf(ask));
    const tasks: Task[] = [
      ...(isShared ? [] : await builtInTasks(ask)),
      ...(app === null ? [] : launcher(ask, app)),
      startup(ask),
    ];
    return {
      tasks,
      snippet: null,
      notes: [
        "it wants a ChatGPT login of its own; nothing of that login reaches Rotor or upstream",
        ...(isShared ? ["it reads the config that rotor connect codex has written"] : []),
        ...(app === null ? [] : ["an app that is open takes it over when it is started again, best by Codex (Rotor)"]),
      ],
      warnings:
        app === null ? ["the app was not found here: without a launcher; connect it again when it is installed"] : [],
    };
  },
};

function appOf(host: Host): App | null {
  if (host.platform === "darwin") return appOfMac(host);
  return host.platform === "win32" ? appOfWindows(host) : appOfDesktop(host);
}

function appOfMac({ homeDir }: Host): App | null {
  const places = ["/Applications", join(homeDir, "Applications")].map((folder) => join(folder, "Codex.app"));
  const place = places.find((path) => existsSync(path));
  return place === undefined ? null : { id: place, place };
}

/** A packaged app: its family names it, whatever version is installed. */
function appOfWindows(host: Host): App | null {
  const packages = join(localData(host), "Packages");
  const family = namesIn(packages).find((name) => /^OpenAI\.Codex_[a-z0-9]+$/i.test(name));
  return family === undefined ? null : { id: `${family}!App`, place: join(packages, family) };
}

/** There is none of OpenAI's for Linux; builds of others are found by their entry in the menu. */
function appOfDesktop({ env, homeDir }: Host): App | null {
  const shared = (env.XDG_DATA_DIRS || "/usr/local/share:/usr/share").split(":").filter(Boolean);
  const flatpak = ["/var/lib/flatpak/exports/share", join(homeDir, ".local/share/flatpak/exports/share")];
  for (const data of [env.XDG_DATA_HOME || join(homeDir, ".local", "share"), ...shared, ...flatpak]) {
    const folder = join(data, "applications");
    const name = namesIn(folder).find((one) => /^(com\.openai\.)?(openai-)?codex(-desktop|-app)?\.desktop$/i.test(one));
    if (name !== undefined) return { id: name.replace(/\.desktop$/, ""), place: join(folder, name) };
  }
  return null;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const roamingData = ({ env, homeDir }: Host) => env.APPDATA || join(homeDir, "AppData", "Roaming");
const localData = ({ env, homeDir }: Host) => env.LOCALAPPDATA || join(homeDir, "AppData", "Local");
const startMenu = (host: Host) => join(roamingData(host), "Microsoft", "Windows", "Start Menu", "Programs");

const LAUNCHER = "the launcher, which starts Rotor and then the app";
const STARTUP = "what starts Rotor when you sign in";

function launcher(ask: Ask, app: App): readonly Task[] {
  const { host, folder } = ask;
  if (host.platform === "win32") {
    const text = `${batch(ask)}start "" explorer.exe "shell:AppsFolder\\${app.id}"\r\n`;
    return [{ kind: "own", path: join(startMenu(host), "Codex (Rotor).cmd"), what: LAUNCHER, text }];
  }
  if (host.platform === "darwin") {
    const contents = join(host.homeDir, "Applications", "Codex (Rotor).app", "Contents");
    const text = `${script(ask)}exec open -a ${quoted(app.id)}\n`;
    return [
      { kind: "own", path: join(contents, "Info.plist"), what: LAUNCHER, text: BUNDLE },
      { kind: "own", path: join(contents, "MacOS", "launch"), what: LAUNCHER, text, isProgram: true },
    ];
  }
  const path = join(folder, "codex-app.sh");
  const text = `${script(ask)}exec gtk-launch ${quoted(app.id)}\n`;
  const entry = join(
    host.env.XDG_DATA_HOME || join(host.homeDir, ".local", "share"),
    "applications",
    "rotor-codex.desktop",
  );
  return [
    { kind: "own", path, what: LAUNCHER, text, isProgram: true },
    { kind: "own", path: entry, what: "its entry in the menu", text: desktopFile("Codex (Rotor)", entryWord(path)) },
  ];
}

function startup(ask: Ask): Task {
  const { host } = ask;
  if (host.platform === "win32") {
    return { kind: "own", path: join(startMenu(host), "Startup", "Rotor.cmd"), what: STARTUP, text: batch(ask) };
  }
  if (host.platform === "darwin") {
    const path = join(host.homeDir, "Library", "LaunchAgents", `${AGENT}.plist`);
    return { kind: "own", path, what: STARTUP, text: launchAgent(ask) };
  }
  const path = join(host.env.XDG_CONFIG_HOME || join(host.homeDir, ".config"), "autostart", "rotor.desktop");
  // The entry of an autostart folder is not read by a shell: it names a program and its words.
  const words = [...environment(host).map(([name, value]) => `${name}=${value}`), programOf(ask), "up"];
  const line = words.length > 2 ? ["env", ...words] : words;
  return { kind: "own", path, what: STARTUP, text: desktopFile("Rotor", line.map(entryWord).join(" ")) };
}

const programOf = ({ program }: Ask) => program ?? "rotor";

/** What decides which Rotor is meant; a session of the desktop does not know what a shell was told. */
function environment({ env }: Host): readonly (readonly [string, string])[] {
  const names = ["ROTOR_HOME", "ROTOR_CONFIG", "ROTOR_SOCKET"] as const;
  return names.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** An app that opens without Rotor says at least itself what it misses: so it opens whatever comes of this. */
function script(ask: Ask): string {
  const sets = environment(ask.host).map(([name, value]) => `export ${name}=${quoted(value)}\n`);
  return `#!/bin/sh\n# of rotor connect codex-app\n${sets.join("")}${quoted(programOf(ask))} up >/dev/null 2>&1\n`;
}

function batch(ask: Ask): string {
  const sets = environment(ask.host).map(([name, value]) => `set "${name}=${value}"\r\n`);
  return `@echo off\r\nrem of rotor connect codex-app\r\n${sets.join("")}"${programOf(ask)}" up >nul 2>&1\r\n`;
}

/** freedesktop.org, Desktop Entry Specification 1.5. */
function desktopFile(name: string, exec: string): string {
  return `[Desktop Entry]\nType=Application\nName=${name}\nComment=of rotor connect codex-app\nExec=${exec}\nTerminal=false\nCategories=Development;\n`;
}

/** A quoted argument of `Exec`: `"`, `` ` ``, `$` and `\` are escaped, then `\` once more as in any value; `%` begins a field code. */
function entryWord(word: string): string {
  const inner = word
    .replace(/["`$\\]/g, "\\$&")
    .replaceAll("\\", "\\\\")
    .replaceAll("%", "%%");
  return /^[A-Za-z0-9_./=-]+$/.test(word) ? word : `"${inner}"`;
}

const AGENT = "rotor.codex-app";
const PLIST = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
`;

const BUNDLE = `${PLIST}<dict>
  <key>CFBundleIdentifier</key><string>rotor.codex-launcher</string>
  <key>CFBundleName</key><string>Codex (Rotor)</string>
  <key>CFBundlePackageType</key><string>APPL</string>
  <key>CFBundleExecutable</key><string>launch</string>
  <key>LSUIElement</key><true/>
</dict>
</plist>
`;

function launchAgent(ask: Ask): string {
  const text = (value: string) => `<string>${escaped(value)}</string>`;
  const sets = environment(ask.host).map(([name, value]) => `<key>${name}</key>${text(value)}`);
  return `${PLIST}<dict>
  <key>Label</key>${text(AGENT)}
  <key>ProgramArguments</key><array>${text(programOf(ask))}${text("up")}</array>
  <key>EnvironmentVariables</key><dict>${sets.join("")}</dict>
  <key>RunAtLoad</key><true/>
</dict>
</plist>
`;
}

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
