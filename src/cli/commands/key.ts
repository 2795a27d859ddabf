/**
 * `rotor key …`: what clients show to be served.
 */
import {
  CreateKeyResponseSchema,
  type Key,
  ListKeysResponseSchema,
  RevokeKeyResponseSchema,
} from "../../gen/rotor/v1/key_service_pb.ts";
import type { Command } from "../command.ts";
import { confirm, YES_OPTION } from "../confirm.ts";
import { resolveKey } from "../resolve.ts";
import { renderTable } from "../table.ts";
import { formatAgo } from "../time-text.ts";
import { toMs } from "../wire-text.ts";

const createKey: Command = {
  path: ["key", "create"],
  summary: "make a client key; it is shown once",
  details: [
    "The key goes to stdout, alone, so that it can be kept in a variable or a file. Rotor keeps only its hash.",
  ],
  args: [{ name: "NAME", about: "label: 1–40 of a–z 0–9 . _ -" }],
  examples: ["export ROTOR_KEY=$(rotor key create laptop)"],
  starts: true,
  async run({ daemon, print }, input) {
    const response = await (await daemon()).keys.createKey({ name: input.arg(0) ?? "" });
    if (print.asJson(CreateKeyResponseSchema, response)) return;
    print.line(response.secret);
    print.note(`this is the only time that the key is shown; use it with: rotor connect codex --print`);
  },
};

const list: Command = {
  path: ["key", "list"],
  summary: "all client keys, the revoked ones too",
  starts: true,
  async run({ daemon, print, nowMs }) {
    const response = await (await daemon()).keys.listKeys({});
    if (print.asJson(ListKeysResponseSchema, response)) return;
    if (response.keys.length === 0) {
      print.note("no client keys yet; make one with: rotor key create NAME");
      return;
    }
    const rows = response.keys.map((key, i) => keyRow(key, i + 1, nowMs()));
    const columns = [
      { header: "#", align: "right" as const },
      ...["NAME", "ID", "MADE", "USED", "STATE"].map((header) => ({ header })),
    ];
    for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
  },
};

function keyRow(key: Key, number: number, nowMs: number): string[] {
  const ago = (atMs: number | null, never: string) => (atMs === null ? never : formatAgo(atMs, nowMs));
  const revokedMs = toMs(key.revokeTime);
  const state = revokedMs === null ? "valid" : `revoked ${formatAgo(revokedMs, nowMs)}`;
  return [String(number), key.name, key.id, ago(toMs(key.createTime), "–"), ago(toMs(key.lastUseTime), "never"), state];
}

const revoke: Command = {
  path: ["key", "revoke"],
  summary: "end a client key at once",
  args: [{ name: "KEY", about: "name, list number, id, or an unambiguous beginning", completes: "key" }],
  options: [YES_OPTION],
  starts: true,
  async run(context, input) {
    const link = await context.daemon();
    const { keys } = await link.keys.listKeys({});
    const key = resolveKey(keys, input.arg(0) ?? "");
    await confirm(context, input, {
      question: `Revoke the key ${key.name}? Clients that use it are refused from then on.`,
      command: `rotor key revoke ${key.name} --yes`,
    });
    const response = await link.keys.revokeKey({ keyId: key.id });
    if (context.print.asJson(RevokeKeyResponseSchema, response)) return;
    context.print.note(`the key ${key.name} is revoked`);
  },
};

export const keyCommands: readonly Command[] = [createKey, list, revoke];
