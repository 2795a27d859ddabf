/**
 * `rotor backup …` and `rotor restore`: encrypted copies of the store, and the way back.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { AppError } from "../../base/errors.ts";
import {
  type Backup,
  CreateBackupResponseSchema,
  DeleteBackupResponseSchema,
  ListBackupsResponseSchema,
  PreviewRestoreResponseSchema,
  RestoreBackupResponseSchema,
  VerifyBackupResponseSchema,
} from "../../gen/rotor/v1/backup_service_pb.ts";
import { downloadBackup, refuseExisting, uploadBackup } from "../backup-transfer.ts";
import type { Argument, Command, Context, Input } from "../command.ts";
import { confirm, YES_OPTION } from "../confirm.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { askNewPassphrase, askPassphrase } from "../passphrase-prompt.ts";
import { printable } from "../print.ts";
import { openedBy, printBackups, printPlan, resolveBackup, safetyBackup } from "../text/backup-text.ts";

const NAME: Argument = {
  name: "NAME",
  about: "name, list number, an unambiguous beginning, or latest",
  completes: "backup",
};

const CREATE: Omit<Command, "path"> = {
  summary: "make an encrypted backup of everything",
  details: [
    "It goes to the folder backups in the data folder, and opens with the key of this installation. With --passphrase it opens on any machine that is told it; the passphrase is typed, or read from standard input. --out writes it to a file instead.",
  ],
  options: [
    { name: "passphrase", about: "ask for a passphrase that opens it anywhere" },
    { name: "out", value: "FILE", about: "write it there", completes: "file" },
  ],
  examples: ["rotor backup", "rotor backup create --passphrase --out /media/stick/rotor.rotor-backup"],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const out = input.value("out");
    if (out !== null) await refuseExisting(out);
    const passphrase = input.has("passphrase")
      ? await askNewPassphrase(context, "rotor backup create --passphrase")
      : "";
    const link = await context.daemon();
    print.progress("making the backup …");
    const response = await link.backups.createBackup({ passphrase }).finally(() => print.progress(null));
    const backup = response.backup!;
    if (out !== null) {
      try {
        await downloadBackup(context, link, backup.name, out);
      } finally {
        await link.backups.deleteBackup({ name: backup.name });
      }
    }
    if (print.asJson(CreateBackupResponseSchema, response)) return;
    print.line(out ?? backup.name);
    const accounts = `${backup.accountCount} ${backup.accountCount === 1 ? "account" : "accounts"}`;
    print.note(`${accounts}, opened by ${openedBy(backup)}${out === null ? "" : "; keep that safe, too"}`);
  },
};

const list: Command = {
  path: ["backup", "list"],
  summary: "all backups, newest first",
  starts: true,
  async run({ daemon, print, nowMs }) {
    const response = await (await daemon()).backups.listBackups({});
    if (print.asJson(ListBackupsResponseSchema, response)) return;
    if (response.backups.length === 0) print.note("no backups yet; make one with: rotor backup create");
    else printBackups(print, response.backups, nowMs());
    for (const { problem } of response.backups) if (problem !== "") print.warning(printable(problem));
  },
};

const verify: Command = {
  path: ["backup", "verify"],
  summary: "read every byte of a backup and open it",
  args: [NAME],
  starts: true,
  async run(context, input) {
    const link = await context.daemon();
    const backup = await chosen(link, input.arg(0) ?? "");
    const passphrase = await passphraseFor(context, backup);
    const response = await link.backups.verifyBackup({ name: backup.name, passphrase });
    if (context.print.asJson(VerifyBackupResponseSchema, response)) return;
    context.print.line(`${backup.name} is whole and opens`);
  },
};

const remove: Command = {
  path: ["backup", "delete"],
  summary: "remove a backup",
  args: [NAME],
  options: [YES_OPTION],
  starts: true,
  async run(context, input) {
    const link = await context.daemon();
    const { name } = await chosen(link, input.arg(0) ?? "");
    const question = `Delete the backup ${name}?`;
    await confirm(context, input, { question, command: `rotor backup delete ${name} --yes` });
    const response = await link.backups.deleteBackup({ name });
    if (context.print.asJson(DeleteBackupResponseSchema, response)) return;
    context.print.note(`${name} is deleted`);
  },
};

const restore: Command = {
  path: ["restore"],
  summary: "go back to a backup",
  details: [
    "Says first what would change. What is there now goes into a safety backup, and --undo goes back to that. An account that is on both sides keeps the newer of its two logins, keys that were revoked stay revoked, and history is kept; --exact takes the backup literally. Requests are refused for a moment.",
  ],
  args: [{ ...NAME, name: "BACKUP", about: `${NAME.about}; or a file`, optional: true }],
  options: [
    { name: "dry-run", about: "say what would change and change nothing" },
    { name: "undo", about: "take the last restore back" },
    { name: "exact", about: "take the backup literally, older logins too" },
    YES_OPTION,
  ],
  examples: ["rotor restore latest --dry-run", "rotor restore /media/stick/rotor.rotor-backup", "rotor restore --undo"],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const link = await context.daemon();
    const { backup, received } = await meant(context, link, input);
    let done = false;
    try {
      const passphrase = await passphraseFor(context, backup);
      const order = { name: backup.name, passphrase, exact: input.has("exact") };
      print.progress("reading the backup …");
      const preview = await link.backups.previewRestore(order).finally(() => print.progress(null));
      if (input.has("dry-run")) {
        if (print.asJson(PreviewRestoreResponseSchema, preview)) return;
        printPlan(print, preview.plan);
        print.note("nothing was changed (--dry-run)");
        return;
      }
      if (!print.json) printPlan(print, preview.plan);
      const question = `Put ${backup.name} in the place of what is there now?`;
      const what = input.has("undo") ? "--undo" : (input.arg(0) ?? "");
      await confirm(context, input, { question, command: `rotor restore ${what} --yes` });
      print.progress("restoring …");
      const response = await link.backups.restoreBackup(order).finally(() => print.progress(null));
      done = true;
      if (print.asJson(RestoreBackupResponseSchema, response)) return;
      print.note(`${backup.name} is restored`);
      if (response.safetyName !== "") print.note("take it back with: rotor restore --undo");
      if (response.setAside !== "") print.note(`what was there is kept in ${printable(response.setAside)}`);
    } finally {
      if (received && !done) await takeBack(context, backup.name);
    }
  },
};

/** What was sent for a restore that did not come about does not stay there, also after Ctrl-C. */
async function takeBack(context: Context, name: string): Promise<void> {
  try {
    await (await context.daemonForTidying())?.backups.deleteBackup({ name });
  } catch {
    // It stands in the list, and goes with the old ones.
  }
}

async function meant(context: Context, link: DaemonLink, input: Input): Promise<{ backup: Backup; received: boolean }> {
  const name = input.arg(0);
  const { backups } = await link.backups.listBackups({});
  if (input.has("undo")) {
    if (name !== null) throw new AppError("bad_usage", "--undo takes no name", { hint: "rotor help restore" });
    return { backup: safetyBackup(backups), received: false };
  }
  if (name === null)
    throw new AppError("bad_usage", "say which backup: latest, a name or a file", { hint: "rotor backup list" });
  if (!/[/\\]/.test(name) && !existsSync(name)) return { backup: resolveBackup(backups, name), received: false };
  return { backup: await uploadBackup(context, link, resolve(name)), received: true };
}

async function chosen(link: DaemonLink, name: string): Promise<Backup> {
  return resolveBackup((await link.backups.listBackups({})).backups, name);
}

/** Asked only for a backup that one opens. */
async function passphraseFor(context: Context, backup: Backup): Promise<string> {
  return backup.openedBy === "passphrase_box" ? await askPassphrase(context) : "";
}

export const backupCommands: readonly Command[] = [
  // Without options of its own: a noun's would be taken away from its verbs.
  { ...CREATE, path: ["backup"], options: [], examples: [] },
  { ...CREATE, path: ["backup", "create"] },
  list,
  verify,
  remove,
  restore,
];
