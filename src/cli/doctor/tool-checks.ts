/**
 * Each connected tool's whole chain, link by link and through the real proxy: its files, its key, the address that it dials, the model list,
 * a turn over HTTP and over a WebSocket as far as neither spends anything. One finding names the link that is broken.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { codexRouting } from "../../base/codex-config.ts";
import { findCodexHome } from "../codex-home.ts";
import type { Context } from "../command.ts";
import { keyFileOf } from "../connect/client-key.ts";
import { openReceipts, type Receipt } from "../connect/receipt.ts";
import { askKnown, type ToolState, toolStates } from "../connect/tool-state.ts";
import { toolNamed } from "../connect/tool-table.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { failureOf } from "../failure.ts";
import { printable } from "../print.ts";
import { clientBase } from "../stanza.ts";
import { error, type OwnFinding, ok, warning } from "./finding.ts";
import { type PeerKey, withPeerKey } from "./peer-key.ts";
import { type Asked, ask, askSocket } from "./proxy-checks.ts";

/** `link` null = no daemon to ask: files alone are looked at. */
export async function toolFindings(context: Context, link: DaemonLink | null, offline: boolean): Promise<OwnFinding[]> {
  const findings: OwnFinding[] = [];
  try {
    const book = openReceipts(context.paths);
    findings.push(
      ...originFindings(
        context,
        AS_CODEX.some((name) => book.read(name) !== null),
      ),
    );
    const known = link === null ? null : await askKnown(link);
    for (const state of await toolStates(context, known)) {
      const receipt = book.read(state.name);
      if (receipt === null) continue;
      findings.push(...driftFindings(state));
      // What comes after a broken link is broken too, and says less.
      if (state.drift.length === 0 && link !== null)
        findings.push(...(await chainFindings(context, link, receipt, offline)));
    }
    if (link !== null) findings.push(...(await clientFindings(context, link)));
  } catch (thrown) {
    if (context.io.interrupted.aborted) throw thrown;
    const { code, message, hint } = failureOf(thrown);
    // Our own config says where tools are; that it cannot be read is said already.
    if (code !== "config_invalid") findings.push(error("tool.receipt", message, hint ?? "rotor connect"));
  }
  return findings;
}

/** The key of the first connected tool that has one which can be read. */
export function liveKey({ paths }: Context): PeerKey | null {
  const book = openReceipts(paths);
  try {
    for (const { tool, key } of book.all()) {
      const secret = key === null ? null : readSecret(keyFileOf(book.folder, tool));
      if (key !== null && secret !== null) return { name: key.name, secret };
    }
  } catch {
    // A receipt that cannot be read is a finding of its own.
  }
  return null;
}

/** null = it is not there. */
export function readSecret(file: string): string | null {
  return existsSync(file) ? readFileSync(file, "utf8").trim() : null;
}

/** What is broken alone: how many links are whole is told by the chain. */
function driftFindings({ name, drift, hint, files }: ToolState): OwnFinding[] {
  if (drift.length > 0)
    return drift.map((what) => error("tool.drift", `${name}: ${what}`, hint ?? `rotor connect ${name}`));
  if (files.length === 0) return [];
  return [ok("tool.drift", `${name}: ${files.join(", ")} as rotor connect left ${files.length === 1 ? "it" : "them"}`)];
}

/** Tools that speak as Codex does, with a WebSocket where they can. */
const AS_CODEX: readonly string[] = ["codex", "codex-app"];
/** Whose list is asked for; any will do. */
const CODEX_VERSION = "0.169.0";

interface Chain {
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly models: string;
  readonly hasSocket: boolean;
}

/** A tool that has no key of its own asks for one whenever it starts: so is it done here. */
async function chainFindings(
  context: Context,
  link: DaemonLink,
  receipt: Receipt,
  offline: boolean,
): Promise<OwnFinding[]> {
  const { tool: name, key } = receipt;
  const peer = toolNamed(name)?.peer ?? null;
  if (key === null && peer !== null)
    return await withPeerKey(context, link, peer, (own) =>
      linkFindings(context, name, { ...own, proxyUrl: link.daemon.proxyUrl }, offline),
    );
  if (key === null || receipt.proxyUrl === null) return [];
  const secret = readSecret(keyFileOf(openReceipts(context.paths).folder, name));
  if (secret === null) return [error("tool.key", `${name}: the file with its key is gone`, MEND)];
  return await linkFindings(context, name, { name: key.name, secret, proxyUrl: receipt.proxyUrl }, offline);
}

const MEND = "rotor doctor --fix";

/** What a tool dials, and with which key. */
interface Access extends PeerKey {
  readonly proxyUrl: string;
}

async function linkFindings(context: Context, name: string, key: Access, offline: boolean): Promise<OwnFinding[]> {
  const { io } = context;
  const { base, headers, models, hasSocket } = chainOf(context, name, key);

  // A list that is not at hand is fetched from upstream. What asks nobody is refused as well to whom the door is closed.
  const list = await ask(io, new URL(`${base}${offline ? "/responses" : models}`), { headers });
  if (list.failure !== null) {
    const words = `${name}: ${new URL(base).origin}, which it dials, does not answer: ${list.failure}`;
    return [error("tool.address", words, MEND)];
  }
  if (list.status === 401)
    return [error("tool.key", `${name}: its key ${key.name} is not taken: ${refusal(list)}`, MEND)];
  if (list.status !== (offline ? 404 : 200)) {
    const words = `${name}: the model list is refused with ${list.status}: ${refusal(list)}`;
    return [error("tool.models", words, "rotor model list --refresh")];
  }
  const listed = offline ? "" : `, and lists ${countModels(list.text)} models`;
  const found = [ok("tool.models", `${name}: its key ${key.name} is good${listed}`)];

  const turn = await ask(io, new URL(`${base}/responses`), { method: "HEAD", headers });
  if (turn.failure !== null || turn.status >= 500)
    return [...found, error("tool.turn", `${name}: HEAD …/responses: ${turn.failure ?? turn.status}`, "rotor log")];
  if (!hasSocket) return [...found, ok("tool.turn", `${name}: a turn over HTTP would be taken`)];
  const socket = await askSocket(io, new URL(`${base}/responses`), headers);
  if (socket.status === 101 && socket.failure === null)
    return [...found, ok("tool.turn", `${name}: a turn would be taken, over HTTP and over a WebSocket`)];
  const why = socket.failure ?? `${socket.status} ${refusal(socket)}`;
  return [...found, warning("tool.socket", `${name}: no WebSocket is opened (${why}); it asks over HTTP`, "rotor log")];
}

/** As the tool itself dials: Codex by what its config says now, as long as that is this machine. */
function chainOf(context: Context, tool: string, { proxyUrl, secret }: Access): Chain {
  const bearer = { authorization: `Bearer ${secret}` };
  const origin = clientBase(proxyUrl);
  if (!AS_CODEX.includes(tool)) return { base: `${origin}/v1`, headers: bearer, models: "/models", hasSocket: false };
  const { turns } = codexAddresses(context);
  const base = turns !== null && originOf(turns) === origin ? turns : `${origin}/backend-api/codex`;
  const headers = { ...bearer, originator: "codex_cli_rs" };
  return { base, headers, models: `/models?client_version=${CODEX_VERSION}`, hasSocket: true };
}

function refusal({ text }: Asked): string {
  try {
    const { error: inner } = JSON.parse(text) as { error?: { message?: unknown } };
    if (typeof inner?.message === "string") return printable(inner.message);
  } catch {
    // Not JSON: as it is.
  }
  return printable(text.slice(0, 200));
}

/** Under either surface's name for the list. */
function countModels(text: string): number {
  try {
    const list = JSON.parse(text) as { data?: unknown[]; models?: unknown[] };
    return (list.models ?? list.data ?? []).length;
  } catch {
    return 0;
  }
}

const codexConfig = (context: Context) => join(findCodexHome(context).folder, "config.toml");

/** Where Codex sends turns, and everything else of a ChatGPT login; null = its config says nothing of that. */
function codexAddresses(context: Context) {
  const { provider, providerUrl, openaiUrl, chatgptUrl } = codexRouting(codexConfig(context));
  return { turns: provider === "openai" ? openaiUrl : providerUrl, rest: chatgptUrl };
}

/** One origin for both makes Codex go to chatgpt.com by itself, past every account that is here (contracts §3). */
function originFindings(context: Context, isConnected: boolean): OwnFinding[] {
  const { turns, rest } = codexAddresses(context);
  const one = turns === null ? null : originOf(turns);
  if (one === null || rest === null || one !== originOf(rest)) return [];
  const message = `codex: both base URLs in ${codexConfig(context)} have the origin ${one}: it would go to chatgpt.com by itself`;
  return [error("tool.origins", message, isConnected ? "rotor doctor --fix" : "rotor connect codex")];
}

function originOf(url: string): string | null {
  try {
    return new URL(url).origin;
  } catch {
    return null;
  }
}

/** Running plugins and wrappers. One of another version was loaded before an update. */
async function clientFindings({ io }: Context, link: DaemonLink): Promise<OwnFinding[]> {
  const { clients } = await link.clients.listClients({});
  return clients
    .filter(({ client }) => client !== "doctor")
    .map(({ client, clientVersion, linkVersion, pid }) => {
      const who = printable(`${client} ${clientVersion}`.trim() + (pid === 0 ? "" : ` (pid ${pid})`));
      if (linkVersion === "" || linkVersion === io.version) return ok("tool.client", `${who} is running through here`);
      const words = `${who} runs with what Rotor ${printable(linkVersion)} gave it; this is ${io.version}`;
      return warning(
        "tool.client",
        words,
        toolNamed(client) === null ? "restart it" : `rotor connect ${client}, and restart it`,
      );
    });
}
