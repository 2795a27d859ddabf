/**
 * Tools without a file that could be edited for them: what to put where, and a key of their own all the same.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { KEY_VARIABLE, stanzaFor } from "../stanza.ts";
import type { Tool } from "./tool.ts";

interface Row {
  readonly name: string;
  readonly title: string;
  readonly aliases?: readonly string[];
  /** Below the home; a trace of it. */
  readonly trace?: readonly string[];
}

const ROWS: readonly Row[] = [
  { name: "openai-python", title: "OpenAI SDK for Python", aliases: ["python"] },
  { name: "openai-node", title: "OpenAI SDK for TypeScript", aliases: ["typescript", "node"] },
  { name: "vercel-ai", title: "Vercel AI SDK", aliases: ["ai-sdk"] },
  { name: "continue", title: "Continue", trace: [".continue"] },
  { name: "cline", title: "Cline" },
  { name: "other", title: "anything OpenAI-compatible" },
];

export const SNIPPET_TOOLS: readonly Tool[] = ROWS.map(({ name, title, aliases = [], trace }) => ({
  name,
  title,
  aliases,
  ways: {},
  peer: null,
  find({ host }) {
    const path = trace === undefined ? null : join(host.homeDir, ...trace);
    return path !== null && existsSync(path) ? path : null;
  },
  async plan({ base, keyFile }) {
    const { place, text, remarks } = stanzaFor(name, base);
    const key = `its key lies in ${keyFile}: export ${KEY_VARIABLE}="$(cat '${keyFile}')"`;
    return { tasks: [], snippet: { place, text }, notes: [key, ...remarks], warnings: [] };
  },
}));
