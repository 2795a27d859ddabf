/**
 * Makes the OpenCode plugin: each of its two entries in `src/plugin` becomes one file that imports nothing but Node's own modules. The texts
 * are committed where the ctl finds them, so that building and reading need no bundler; `npm run gen` writes them anew.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../package.json";
import { DIST, ROOT } from "./workspace.ts";

interface PluginFile {
  readonly entry: string;
  /** Where the ctl imports its text from. */
  readonly asset: string;
  /** Its name in the package and in OpenCode's folder. */
  readonly name: string;
}

export const PLUGIN_FILES: readonly PluginFile[] = [
  { entry: "src/plugin/opencode.ts", asset: "src/cli/opencode-plugin.txt", name: "rotor.js" },
  { entry: "src/plugin/tui.ts", asset: "src/cli/opencode-tui.txt", name: "rotor-tui.js" },
];

const HEAD = `// Rotor's plugin for OpenCode, version ${version}. Written by: rotor connect opencode. Do not edit: it is written anew with each version.\n`;

/** Comments go, names and lines stay: whoever finds it in their config folder can read what it does. */
export async function pluginText(file: PluginFile): Promise<string> {
  const built = await Bun.build({
    entrypoints: [join(ROOT, file.entry)],
    target: "node",
    format: "esm",
    minify: { syntax: true, whitespace: false, identifiers: false },
    define: { ROTOR_VERSION: JSON.stringify(version) },
  });
  if (!built.success) throw new Error(`${file.entry} cannot be bundled: ${built.logs.join("\n")}`);
  return HEAD + (await built.outputs[0]!.text()).replace(/^\/\/ .*\n/gm, "");
}

/** Writes the texts for the ctl. */
export async function writePluginTexts(): Promise<void> {
  for (const file of PLUGIN_FILES) writeFileSync(join(ROOT, file.asset), await pluginText(file));
}

/** `dist/opencode-plugin`: what would be published to npm. */
export function writePluginPackage(): string {
  const folder = join(DIST, "opencode-plugin");
  mkdirSync(folder, { recursive: true });
  for (const { asset, name } of PLUGIN_FILES) writeFileSync(join(folder, name), readFileSync(join(ROOT, asset)));
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(packageJson(), null, 2)}\n`);
  for (const name of ["LICENSE", "README.md"]) {
    const from = name === "LICENSE" ? join(ROOT, name) : join(ROOT, "src", "plugin", name);
    writeFileSync(join(folder, name), readFileSync(from));
  }
  return folder;
}

function packageJson() {
  return {
    name: "opencode-rotor",
    version,
    description: "OpenCode through Rotor, the local endpoint for all of your ChatGPT/Codex accounts.",
    license: "MIT",
    type: "module",
    main: "./rotor.js",
    exports: { ".": "./rotor.js", "./server": "./rotor.js", "./tui": "./rotor-tui.js" },
    files: ["rotor.js", "rotor-tui.js"],
    engines: { opencode: ">=1.3.4" },
  };
}
