/** Whoever comes from another product finds every word of it, and every word of ours that stands there exists. */
import { expect, test } from "bun:test";
import { COMMANDS } from "../../src/cli/command-table.ts";
import { CONFIG_TOPIC } from "../../src/cli/help/config-topic.ts";
import { TROUBLESHOOTING_TOPIC } from "../../src/cli/help/troubleshooting-topic.ts";
import { CODEX_MULTI_AUTH } from "../../src/cli/moving/codex-multi-auth.ts";
import type { OldWord, OldWords } from "../../src/cli/moving/old-words.ts";
import { OPENCODE_MULTI_AUTH } from "../../src/cli/moving/opencode-multi-auth.ts";
import { commandAt } from "../../src/cli/program.ts";
import { isSettingKey } from "../../src/domain/setting.ts";
import { OLD_PRODUCTS } from "./old-products.ts";

const TABLES: Readonly<Record<keyof typeof OLD_PRODUCTS, OldWords>> = {
  "opencode-multi-auth": OPENCODE_MULTI_AUTH,
  "codex-multi-auth": CODEX_MULTI_AUTH,
};

const namesIn = (words: readonly OldWord[]) => words.map(({ old }) => old).join(" , ");

test.each(Object.keys(OLD_PRODUCTS) as (keyof typeof OLD_PRODUCTS)[])("%s: no word of it is forgotten", (product) => {
  for (const part of ["commands", "variables", "files"] as const) {
    const text = namesIn(TABLES[product][part]);
    const known = new Set(text.split(/[\s,/]+/));
    const isThere = (word: string) => (part === "files" ? text.includes(word) : known.has(word));
    expect(OLD_PRODUCTS[product][part].filter((word) => !isThere(word))).toEqual([]);
  }
});

/** `rotor …` as it stands in running text: up to what ends a clause. */
function commandsIn(text: string): string[] {
  return [...text.matchAll(/\brotor ([^;,:()]+?)(?= and rotor |[;,:()]|$)/g)].map(([, line]) => line!);
}

/** What is wrong with the words of ours in a text. */
function unknownWords(text: string): string[] {
  const found: string[] = [];
  for (const line of commandsIn(text)) {
    const words = line.replace(/"[^"]*"/g, "X").split(/\s+/);
    const command = commandAt(words, COMMANDS);
    const isNoun = COMMANDS.some(({ path }) => path[0] === words[0]);
    if (command === null && !isNoun) found.push(`rotor ${line}`);
    const options = (command?.options ?? []).flatMap(({ name, short }) => [
      `--${name}`,
      ...(short ? [`-${short}`] : []),
    ]);
    for (const word of words.filter((one) => one.startsWith("-")))
      if (![...options, "--json"].includes(word)) found.push(`rotor ${line}: ${word}`);
  }
  for (const [, key] of text.matchAll(/\bsetting ([a-z]+_[a-z_]+)/g))
    if (!isSettingKey(key!)) found.push(`setting ${key}`);
  for (const [name] of text.matchAll(/\bROTOR_[A-Z_]+\b/g)) if (!CONFIG_TOPIC.includes(name)) found.push(name);
  return found;
}

test("every command, option, setting and variable of ours that stands there exists", () => {
  for (const { commands, variables, files } of Object.values(TABLES))
    for (const { now } of [...commands, ...variables, ...files]) expect(unknownWords(now)).toEqual([]);
  expect(commandsIn("a; rotor pool pin X and rotor path")).toEqual(["pool pin X", "path"]);
  expect(unknownWords("rotor pol show; rotor pool pin X --fro 2h; setting no_such_key; ROTOR_NOTHING")).toHaveLength(4);
});

test("troubleshooting names commands that exist", () => {
  const lines = TROUBLESHOOTING_TOPIC.split("\n")
    .join(" ")
    .replace(/\s{2,}/g, "; ");
  expect(commandsIn(lines).length).toBeGreaterThan(20);
  expect(unknownWords(lines).filter((word) => !word.startsWith("rotor connect TOOL"))).toEqual([]);
});
