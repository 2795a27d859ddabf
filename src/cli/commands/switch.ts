/**
 * `rotor account switch | take | sync`: a login, and the right to renew it, on its way between the pool and another program's file.
 */
import { resolve } from "node:path";
import { AppError } from "../../base/errors.ts";
import {
  PreviousLogin,
  type SwitchAccountResponse,
  SwitchAccountResponseSchema,
  SyncAction,
  SyncWatchedFileResponseSchema,
  TakeAccountResponseSchema,
} from "../../gen/rotor/v1/transfer_service_pb.ts";
import { findCodexHome, isSameFile, storeWarning } from "../codex-home.ts";
import type { Command, Context, Input } from "../command.ts";
import { confirm, YES_OPTION } from "../confirm.ts";
import { printable } from "../print.ts";
import { quoted, syncTable } from "../text/file-text.ts";
import { ACCOUNT_ARGUMENT, accountArgument } from "./account.ts";

const DRY_RUN = { name: "dry-run", about: "say what would happen and change nothing" } as const;

const switchTo: Command = {
  path: ["account", "switch"],
  summary: "sign another program in: write this login to its auth.json",
  details: [
    "The file is written whole or not at all, mode 0600; what else stands in it stays, and a link is followed. A login that is only in the file joins the pool first; anything else that would be lost is copied beside it.",
    "From then on that program renews the login. Rotor serves with it too, takes over what the program renews, and renews nothing itself until: rotor account take ALIAS.",
  ],
  args: [ACCOUNT_ARGUMENT],
  options: [
    { name: "file", value: "PATH", about: "the file; without it the auth.json of the Codex CLI", completes: "file" },
    DRY_RUN,
    YES_OPTION,
  ],
  examples: ["rotor account switch work --dry-run", "rotor account switch work --yes"],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const home = findCodexHome(context);
    const path = resolve(input.value("file") ?? home.authFile);
    refuseKeyring(home, path);
    const link = await context.daemon();
    const { account } = await accountArgument(link, input);
    const dryRun = input.has("dry-run");
    if (!dryRun) await confirmSwitch(context, input, account.alias, path);
    const response = await link.transfers.switchAccount({ accountId: account.id, path, dryRun });
    if (print.asJson(SwitchAccountResponseSchema, response)) return;
    for (const line of switchLines(response, account.alias, dryRun)) print.note(line);
  },
};

/** A file that the program does not look at would only be one more copy of a login. */
function refuseKeyring(home: ReturnType<typeof findCodexHome>, path: string): void {
  const warning = isSameFile(path, home.authFile) ? storeWarning(home) : null;
  if (warning !== null) throw new AppError("invalid_login_file", warning, { hint: "codex login status" });
}

async function confirmSwitch(context: Context, input: Input, alias: string, path: string): Promise<void> {
  await confirm(context, input, {
    question: `Write the login of ${alias} to ${printable(path)}? Its program renews that login from then on.`,
    command: `${context.title} ${alias} --yes`,
  });
}

function switchLines(response: SwitchAccountResponse, alias: string, dryRun: boolean): string[] {
  const path = printable(response.path);
  const { previousAlias: previous, previousLogin, backupPath, written } = response;
  const lines: string[] = [];
  if (written) lines.push(`${path} ${dryRun ? "would hold" : "holds"} the login of ${alias}`);
  else lines.push(`${path} holds the login of ${alias} already`);
  if (written && previousLogin === PreviousLogin.ADOPTED)
    lines.push(`the login that was there ${dryRun ? "would join" : "has joined"} the pool${named(previous)}`);
  if (written && previousLogin === PreviousLogin.BACKED_UP)
    lines.push(`the file as it was ${dryRun ? "would be kept beside it" : `is kept in ${printable(backupPath)}`}`);
  lines.push(
    `its program ${dryRun ? "would renew" : "renews"} this login from now on; Rotor takes over what it renews, until: rotor account take ${alias}`,
  );
  if (dryRun) return [...lines, "nothing was changed (--dry-run)"];
  if (written && previous !== "" && previous !== alias)
    lines.push(`undo: rotor account switch ${previous} --file ${quoted(response.path)}`);
  else if (written && previousLogin === PreviousLogin.NONE)
    lines.push(`undo: rotor account take ${alias}, and delete ${path}`);
  return lines;
}

function named(alias: string): string {
  return alias === "" ? "" : ` as ${alias}`;
}

const take: Command = {
  path: ["account", "take"],
  summary: "let Rotor renew a login that another program has renewed until now",
  details: [
    "Takes over what the program's file holds first, when that is newer. The program must not renew this login any more: send it through Rotor (rotor connect codex), or sign it in to another account.",
  ],
  args: [ACCOUNT_ARGUMENT],
  starts: true,
  async run({ daemon, print }, input) {
    const link = await daemon();
    const { account } = await accountArgument(link, input);
    const response = await link.transfers.takeAccount({ accountId: account.id });
    if (print.asJson(TakeAccountResponseSchema, response)) return;
    if (account.refreshOwnerFile === "") return void print.note(`Rotor renews the login of ${account.alias} already`);
    print.note(`Rotor renews the login of ${account.alias} from now on`);
    if (response.account?.deviceFiles.length)
      print.warning(
        `${response.account.deviceFiles.map(printable).join(", ")} still holds it: a program that renews it there is cut off, or cuts Rotor off; rotor connect codex sends the Codex CLI through Rotor`,
      );
  },
};

const sync: Command = {
  path: ["account", "sync"],
  summary: "look at watched files now and take over the logins in them",
  details: [
    "A login that is not here becomes an account, a newer one takes the place of the older one here. The file's program goes on renewing them, and Rotor takes over what it renews.",
  ],
  args: [
    {
      name: "PATH",
      about: "one file; without it every watched one, and the one of the Codex CLI when none is",
      optional: true,
      completes: "file",
    },
  ],
  options: [DRY_RUN],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const dryRun = input.has("dry-run");
    const link = await context.daemon();
    const { files } = await link.transfers.listWatchedFiles({});
    const given = input.arg(0);
    const wanted = given ?? (files.length === 0 ? findCodexHome(context).authFile : null);
    const path =
      wanted === null
        ? ""
        : await watchedPath(
            link,
            files.map((file) => file.path),
            resolve(wanted),
          );
    const response = await link.transfers.syncWatchedFile({ path, dryRun });
    if (print.asJson(SyncWatchedFileResponseSchema, response)) return;
    const view = { dryRun, width: print.columns, style: print.style };
    for (const line of syncTable(response.files, view)) print.line(line);
    if (dryRun) print.note("nothing was changed (--dry-run)");
    const taken = response.files.find(
      ({ action }) => action !== SyncAction.NOTHING && action !== SyncAction.UNSPECIFIED,
    );
    if (!dryRun && taken)
      print.note(`the file's program renews it; let Rotor do that: rotor account take ${taken.alias}`);
  },
};

/** Its name in the daemon's list. A file that is not watched yet is from now on: that is what asking for it means. */
async function watchedPath(
  link: Awaited<ReturnType<Context["daemon"]>>,
  watched: readonly string[],
  path: string,
): Promise<string> {
  const known = watched.find((one) => isSameFile(one, path));
  if (known !== undefined) return known;
  const { file } = await link.transfers.watchFile({ path });
  return file?.path ?? path;
}

export const switchCommands: readonly Command[] = [switchTo, take, sync];
