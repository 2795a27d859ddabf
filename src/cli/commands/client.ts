/**
 * `rotor client …`: clients that have a key for as long as they run: OpenCode with Rotor's plugin, `rotor codex`.
 */
import {
  type Client,
  type ClientEvent,
  ClientEventKindSchema,
  ListClientsResponseSchema,
} from "../../gen/rotor/v1/client_service_pb.ts";
import type { Command } from "../command.ts";
import { printable } from "../print.ts";
import { renderTable } from "../text/table.ts";
import { formatAgo } from "../text/time-text.ts";
import { enumText, toMs } from "../text/wire-text.ts";

/** What a screen holds beside the clients. */
const EVENTS_SHOWN = 10;

const list: Command = {
  path: ["client", "list"],
  summary: "clients that have a key for as long as they run, and what they told last",
  details: [
    "OpenCode with Rotor's plugin and rotor codex get a key of their own when they start. It lives in the daemon's memory, ends when they do, and counts under the client key of their name (rotor key list), where limits, budgets and profiles are set.",
  ],
  starts: true,
  async run({ daemon, print, nowMs }) {
    const link = await daemon();
    const response = await link.clients.listClients({});
    if (print.asJson(ListClientsResponseSchema, response)) return;
    if (response.clients.length === 0) {
      print.note("no clients; OpenCode comes with: rotor connect opencode");
      return;
    }
    const { accounts } = await link.accounts.listAccounts({});
    const aliases = new Map(accounts.map(({ id, alias }) => [id, alias]));
    const rows = response.clients.map((client) => clientRow(client, aliases, nowMs()));
    const columns = ["CLIENT", "VERSION", "PID", "SEEN", "PROFILE", "ACCOUNT", "FOLDER"].map((header) => ({ header }));
    for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
    const events = response.events.slice(0, EVENTS_SHOWN);
    if (events.length > 0) print.line("");
    for (const event of events) print.line(eventLine(event, nowMs()));
  },
};

function clientRow(client: Client, aliases: ReadonlyMap<string, string>, nowMs: number): string[] {
  return [
    client.client,
    printable(client.clientVersion) || "–",
    client.pid === 0 ? "–" : String(client.pid),
    formatAgo(toMs(client.lastSeenTime) ?? nowMs, nowMs),
    client.profile || "–",
    aliases.get(client.accountId) ?? (client.accountId || "–"),
    printable(client.directory) || "–",
  ];
}

function eventLine(event: ClientEvent, nowMs: number): string {
  const what = [event.title, event.message].filter((text) => text !== "").map(printable);
  const head = `${formatAgo(toMs(event.time) ?? nowMs, nowMs)}  ${event.client}  ${enumText(ClientEventKindSchema, event.kind)}`;
  return [head, ...what].join("  ");
}

export const clientCommands: readonly Command[] = [list];
