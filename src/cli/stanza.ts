/**
 * What a client needs to be told to go through Rotor: the exact text for its config file or for the program that uses an SDK.
 * The tests with real clients run on these texts. Secrets never stand in them: clients read the key from the environment.
 */

/** Variable that the stanzas read the client key from. */
export const KEY_VARIABLE = "ROTOR_KEY";

/** Variable that Codex reads the key of its project from (rotor profile project); without one it sends no such header. */
export const PROJECT_VARIABLE = "ROTOR_PROJECT";

/** A model that every paid plan has; only an example for SDK snippets, and OpenCode's default (its own small model is not served by this upstream). */
const EXAMPLE_MODEL = "gpt-5.5";

export interface Stanza {
  /** Where it belongs, as a person would say it. */
  readonly place: string;
  readonly text: string;
  /** What else must be known, one line each. */
  readonly remarks: readonly string[];
}

/** `client` is a tool of connect/tool-table.ts; `proxyUrl` is where the proxy listens, e.g. `http://127.0.0.1:4747`. */
export function stanzaFor(client: string, proxyUrl: string): Stanza {
  const base = clientBase(proxyUrl);
  const row = STANZAS[client] ?? STANZAS.other!;
  return { place: row.place, text: row.text(base), remarks: row.remarks ?? [] };
}

/**
 * Clients on this machine dial 127.0.0.1: with the host `localhost` here and in `chatgpt_base_url` Codex would see one origin
 * and go to chatgpt.com by itself (contracts §3). A listener on every interface is dialled on loopback too.
 */
export function clientBase(proxyUrl: string): string {
  const url = new URL(proxyUrl);
  const loopback = ["localhost", "0.0.0.0", "[::]", "[::1]", "127.0.0.1"].includes(url.hostname);
  return `http://${loopback ? "127.0.0.1" : url.hostname}:${url.port || "80"}`;
}

/** A `name` other than "OpenAI" keeps compaction local, so that a conversation can move between accounts (contracts §6). */
function codexText(base: string): string {
  return `model_provider = "rotor"

[model_providers.rotor]
name = "Rotor"
base_url = "${base}/backend-api/codex"
wire_api = "responses"
env_key = "${KEY_VARIABLE}"
env_http_headers = { "x-rotor-project" = "${PROJECT_VARIABLE}" }
`;
}

const CODEX_REMARKS: readonly string[] = [
  "model_provider stands above the first [section] of the file",
  "Codex then lists and resumes only conversations of this provider; rotor connect codex keeps the earlier ones",
  "supports_websockets = true in that section makes Codex speak WebSocket: requests carry only what is new, also upstream",
  "Codex itself also contacts chatgpt.com and github.com (plugins, updates, analytics), whoever serves it",
  "a Codex that runs in the background keeps the environment it was started with; restart it after a change of the key",
];

function openCodeText(base: string): string {
  const config = {
    $schema: "https://opencode.ai/config.json",
    model: `openai/${EXAMPLE_MODEL}`,
    small_model: `openai/${EXAMPLE_MODEL}`,
    provider: { openai: { options: { baseURL: `${base}/v1`, apiKey: `{env:${KEY_VARIABLE}}` } } },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

const OPENCODE_REMARKS: readonly string[] = [
  "an OpenAI login inside OpenCode would go around this config; take it off with: opencode auth logout",
];

function shellText(base: string): string {
  return `export OPENAI_BASE_URL="${base}/v1"
export OPENAI_API_KEY="$${KEY_VARIABLE}"
`;
}

function pythonText(base: string): string {
  return `import os

from openai import OpenAI

client = OpenAI(base_url="${base}/v1", api_key=os.environ["${KEY_VARIABLE}"])
response = client.responses.create(model="${EXAMPLE_MODEL}", input="Say hello.")
print(response.output_text)
`;
}

function nodeText(base: string): string {
  return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${base}/v1", apiKey: process.env.${KEY_VARIABLE} });
const response = await client.responses.create({ model: "${EXAMPLE_MODEL}", input: "Say hello." });
console.log(response.output_text);
`;
}

function vercelText(base: string): string {
  return `import { createOpenAI } from "@ai-sdk/openai";
import { generateText } from "ai";

const rotor = createOpenAI({ baseURL: "${base}/v1", apiKey: process.env.${KEY_VARIABLE} });
const { text } = await generateText({ model: rotor.responses("${EXAMPLE_MODEL}"), prompt: "Say hello." });
console.log(text);
`;
}

/** Continue reads secrets from ~/.continue/.env. */
function continueText(base: string): string {
  return `models:
  - name: Rotor
    provider: openai
    model: ${EXAMPLE_MODEL}
    apiBase: ${base}/v1
    apiKey: \${{ secrets.${KEY_VARIABLE} }}
    roles: [chat, edit, apply]
`;
}

function fieldsText(base: string): string {
  return `API provider   OpenAI Compatible
Base URL       ${base}/v1
API key        the text of $${KEY_VARIABLE}
Model          ${EXAMPLE_MODEL}
`;
}

function aiderText(base: string): string {
  return `OPENAI_API_BASE=${base}/v1
OPENAI_API_KEY=$${KEY_VARIABLE}
`;
}

const STANZAS: Readonly<
  Record<string, { place: string; text: (base: string) => string; remarks?: readonly string[] }>
> = {
  codex: { place: "~/.codex/config.toml", text: codexText, remarks: CODEX_REMARKS },
  opencode: { place: "~/.config/opencode/opencode.json", text: openCodeText, remarks: OPENCODE_REMARKS },
  shell: { place: "~/.profile, or the shell", text: shellText },
  "openai-python": { place: "your program (pip install openai)", text: pythonText },
  "openai-node": { place: "your program (npm install openai)", text: nodeText },
  "vercel-ai": { place: "your program (npm install ai @ai-sdk/openai)", text: vercelText },
  continue: {
    place: "~/.continue/config.yaml",
    text: continueText,
    remarks: [`the key belongs into ~/.continue/.env, as ${KEY_VARIABLE}=…`],
  },
  cline: { place: "the settings of Cline (API configuration)", text: fieldsText },
  aider: {
    place: "~/.env, or .env of the project",
    text: aiderText,
    remarks: ["the model: aider --model openai/gpt-5.5"],
  },
  other: { place: "the settings of the tool", text: fieldsText, remarks: ["what it may send: rotor help chat"] },
};
