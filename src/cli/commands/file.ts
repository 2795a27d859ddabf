/**
 * `rotor file …`: files in which other programs keep their logins, and which the daemon looks at.
 */
import { resolve } from "node:path";
import {
  ListWatchedFilesResponseSchema,
  UnwatchFileResponseSchema,
  WatchFileResponseSchema,
} from "../../gen/rotor/v1/transfer_service_pb.ts";
import { findCodexHome, isSameFile, storeWarning } from "../codex-home.ts";
import type { Argument, Command } from "../command.ts";
import { printable } from "../print.ts";
import { fileNotes, fileTable } from "../text/file-text.ts";

const PATH_ARGUMENT: Argument = {
  name: "PATH",
  about: "an auth.json; without it the one of the Codex CLI",
  optional: true,
  completes: "file",
};

const list: Command = {
  path: ["file", "list"],
  summary: "watched files, whose login each holds and what is to be done about it",
  starts: true,
  async run(context) {
    const { daemon, print, nowMs } = context;
    const link = await daemon();
    const response = await link.transfers.listWatchedFiles({});
    if (print.asJson(ListWatchedFilesResponseSchema, response)) return;
    const { accounts } = await link.accounts.listAccounts({});
    if (response.files.length === 0) print.note("no files are watched; watch the Codex CLI's with: rotor file watch");
    else {
      const view = { accounts, nowMs: nowMs(), width: print.columns, style: print.style };
      for (const line of fileTable(response.files, view)) print.line(line);
      for (const note of fileNotes(response.files, accounts)) print.warning(note);
    }
    const warning = storeWarning(findCodexHome(context));
    if (warning !== null) print.note(warning);
  },
};

const watch: Command = {
  path: ["file", "watch"],
  summary: "look at a file in which another program keeps its login",
  details: [
    "The daemon looks when the file changes and now and then. What the program renews for an account that is left to it is taken over at once; a login that is not here is offered, or taken in at once: rotor setting set auth_file_adopt adopt.",
    "The file must be yours and closed to writing by others. Nothing in it is changed.",
  ],
  args: [PATH_ARGUMENT],
  examples: ["rotor file watch", "rotor file watch ~/work/.codex/auth.json"],
  starts: true,
  async run(context, input) {
    const { daemon, print } = context;
    const home = findCodexHome(context);
    const path = resolve(input.arg(0) ?? home.authFile);
    const link = await daemon();
    const response = await link.transfers.watchFile({ path });
    if (print.asJson(WatchFileResponseSchema, response)) return;
    const file = response.file!;
    print.note(`watching ${printable(file.path)}${file.reason === "" ? "" : `: ${printable(file.reason)}`}`);
    const { accounts } = await link.accounts.listAccounts({});
    for (const note of fileNotes([file], accounts)) print.note(note);
    const warning = isSameFile(path, home.authFile) ? storeWarning(home) : null;
    if (warning !== null) print.warning(warning);
  },
};

const unwatch: Command = {
  path: ["file", "unwatch"],
  summary: "look at a file no more; the file stays as it is",
  args: [PATH_ARGUMENT],
  starts: true,
  async run(context, input) {
    const { daemon, print } = context;
    const link = await daemon();
    const given = resolve(input.arg(0) ?? findCodexHome(context).authFile);
    const { files } = await link.transfers.listWatchedFiles({});
    const path = files.find((file) => isSameFile(file.path, given))?.path ?? given;
    const response = await link.transfers.unwatchFile({ path });
    if (print.asJson(UnwatchFileResponseSchema, response)) return;
    print.note(`${printable(path)} is watched no more`);
  },
};

export const fileCommands: readonly Command[] = [list, watch, unwatch];
