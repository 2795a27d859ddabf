/** Odd configurations, as people have them: TOML and JSON with comments, made from pieces in any order, with our own names there already. */
import fc from "fast-check";
import { parse } from "smol-toml";
import type { Setting } from "../../../src/cli/connect/document.ts";
import { FORMATS } from "../../../src/cli/connect/task.ts";

const ROOT_PIECES = [
  "# a remark – with ümläut",
  "",
  'model = "gpt-5.5" # why',
  "'quoted key' = 1979-05-27T07:32:00Z",
  "features.web = true",
  "openai_base_url = 'http://before'   # mine",
  'chatgpt_base_url="http://b"',
  'model_provider = "other"',
  'model_providers.rotor.name = "me"',
  'model_providers.other.name = "other"',
  'model_providers = { rotor = { name = "me" }, b = {} } # all of them',
  "list = [\n  1, # one\n  2,\n]",
  'text = """\n[not.a.section]\nopenai_base_url = "no"\n"""',
  'profiles.x = { model = "y", more = { a = 1 } }',
  "indented = 1",
];

const SECTIONS = [
  "[model_providers.rotor]\nname = 'x'  # named\n",
  "[model_providers.rotor] # ours?",
  "[model_providers]",
  '[model_providers]\nrotor.name = "dotted"\n',
  '[model_providers.other]\nbase_url = "http://o"\nenv_http_headers = { a = "B" }\n',
  "[[mcp]]\nname = 'one'\n\n[[mcp]]\nname = 'two'",
  "[tui]\n# nothing yet\n",
  "[ features ]\nplugins = false\n",
  '[projects."/home/a.b"]\ntrust = "yes"\n\n',
  "  [odd]\n  key   =   1",
];

const ends = fc.constantFrom("\n", "\r\n");

export const oddToml: fc.Arbitrary<string> = fc
  .record({
    roots: fc.uniqueArray(fc.constantFrom(...ROOT_PIECES), { maxLength: 7 }),
    sections: fc.uniqueArray(fc.constantFrom(...SECTIONS), { maxLength: 5 }),
    end: ends,
    isOpen: fc.boolean(),
  })
  .map(({ roots, sections, end, isOpen }) => {
    const text = [...roots, ...sections].map((piece) => `${piece}\n`).join("");
    return (isOpen ? text.replace(/\n+$/, "") : text).replaceAll("\n", end);
  })
  .filter((text) => isToml(text));

/** Read by two readers that know nothing of each other. */
function isToml(text: string): boolean {
  try {
    parse(text);
    FORMATS.toml.valueAt(text, []);
    return true;
  } catch {
    return false;
  }
}

export const TOML_SETTINGS: readonly (readonly Setting[])[] = [
  [
    { path: ["model_provider"], value: "openai" },
    { path: ["openai_base_url"], value: "http://127.0.0.1:4747/k/x/backend-api/codex" },
    { path: ["chatgpt_base_url"], value: "http://localhost:4747/k/x/backend-api" },
  ],
  [
    { path: ["model_provider"], value: "rotor" },
    { path: ["model_providers", "rotor", "name"], value: "Rotor" },
    { path: ["model_providers", "rotor", "base_url"], value: "http://127.0.0.1:4747/backend-api/codex" },
    { path: ["model_providers", "rotor", "supports_websockets"], value: true },
    { path: ["model_providers", "rotor", "env_http_headers"], value: { "x-rotor-project": "ROTOR_PROJECT" } },
  ],
];

const names = fc.constantFrom("provider", "openai", "options", "baseURL", "apiKey", "plugin", "model", "größe", "a b");
const leaf = fc.oneof(
  fc.constantFrom('"text // not a remark"', "1", "true", "null", "[]", "{}", '["a", /* in */ "b"]', "[\n  1,\n  2\n]"),
);

/** Text of an object; `depth` bounds it. */
function objectText(depth: number): fc.Arbitrary<string> {
  const value =
    depth === 0 ? leaf : fc.oneof({ weight: 2, arbitrary: leaf }, { weight: 3, arbitrary: objectText(depth - 1) });
  return fc
    .record({
      members: fc.uniqueArray(fc.tuple(names, value), { maxLength: 4, selector: ([name]) => name }),
      isWide: fc.boolean(),
      remark: fc.constantFrom("", " // why", " /* so */"),
      before: fc.constantFrom("", "// above\n", "/* two\nlines */\n"),
      hasComma: fc.boolean(),
    })
    .map(({ members, isWide, remark, before, hasComma }) => {
      if (members.length === 0) return isWide ? `{\n${before}}` : "{}";
      const last = members.length - 1;
      if (!isWide) return `{ ${members.map(([name, one]) => `${JSON.stringify(name)}: ${one}`).join(", ")} }`;
      const lines = members.map(([name, one], i) => {
        const comma = i < last || hasComma ? "," : "";
        return `${i === 0 ? before : ""}${JSON.stringify(name)}: ${one}${comma}${remark}\n`;
      });
      return `{\n${lines.join("").replace(/^(?=.)/gm, "  ")}}`;
    });
}

export const oddJsonc: fc.Arbitrary<string> = fc
  .record({ text: objectText(3), end: ends, tail: fc.constantFrom("", "\n", "\n// the end\n"), tabs: fc.boolean() })
  .map(({ text, end, tail, tabs }) => {
    const laid = tabs ? text.replace(/^( {2})+/gm, (blanks) => "\t".repeat(blanks.length / 2)) : text;
    return (laid + tail).replaceAll("\n", end);
  });

export const JSONC_SETTINGS: readonly Setting[] = [
  { path: ["provider", "openai", "options", "baseURL"], value: "http://127.0.0.1:4747/v1" },
  { path: ["provider", "openai", "options", "apiKey"], value: "{file:/x.key}" },
  { path: ["small_model"], value: "openai/gpt-5.5" },
  { path: ["plugin"], value: ["x", { a: 1 }] },
];
