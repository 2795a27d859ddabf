/**
 * `rotor import`: logins of a file, many at once, with a preview.
 */
import type { Command } from "../command.ts";
import { importLogins, OWNER_OPTIONS, ownerWish } from "../import-logins.ts";

export const importCommands: readonly Command[] = [
  {
    path: ["import"],
    summary: "add or renew the accounts in a file of logins",
    details: [
      "Takes one auth.json of the Codex CLI, a JSON array of them, or one per line. All or nothing: a bad entry is named with its place and nothing is changed. Nothing is sent anywhere.",
      "Whether Rotor renews the logins, or the program whose file it is: as with rotor account add.",
    ],
    args: [
      {
        name: "PATH",
        about: "file, or - for standard input; without it the auth.json of the Codex CLI",
        optional: true,
        completes: "file",
      },
    ],
    options: [{ name: "dry-run", about: "say what would happen and change nothing" }, ...OWNER_OPTIONS],
    examples: ["rotor import logins.json --dry-run", "rotor import - < logins.jsonl"],
    starts: true,
    run: (context, input) =>
      importLogins(context, {
        source: input.arg(0),
        alias: null,
        dryRun: input.has("dry-run"),
        owner: ownerWish(input),
      }),
  },
];
