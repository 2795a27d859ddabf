/**
 * `rotor completion SHELL` prints the script; the hidden `rotor complete` answers it. Never starts the daemon.
 */
import { AppError } from "../../base/errors.ts";
import type { Command, Context } from "../command.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { type Candidate, candidates, completionScript, type Names, SHELLS, type Shell } from "../help/completion.ts";
import { printable } from "../print.ts";
import { notFound } from "../resolve.ts";

const script: Command = {
  path: ["completion"],
  summary: "completion script for a shell",
  details: [
    "bash: source <(rotor completion bash). zsh: source <(rotor completion zsh). fish: rotor completion fish | source.",
  ],
  args: [{ name: "SHELL", about: SHELLS.join(", "), completes: SHELLS }],
  starts: false,
  async run({ io, print }, input) {
    const shell = input.arg(0) ?? "";
    if (!(SHELLS as readonly string[]).includes(shell)) {
      throw new AppError("bad_usage", notFound("shell", shell, SHELLS), { hint: "rotor help completion" });
    }
    const text = completionScript(shell as Shell);
    if (print.json) print.value({ shell, script: text });
    else io.stdout.write(text);
    return 0;
  },
};

const answer: Command = {
  path: ["complete"],
  summary: "what may stand at the cursor",
  hidden: true,
  args: [
    { name: "WORD", about: "words after the program's name, the last one unfinished", optional: true, variadic: true },
  ],
  starts: false,
  async run(context, input) {
    const found = await candidates(input.rest(0), context.commands, namesOf(context));
    for (const { word, about } of found) context.print.line(about === "" ? word : `${word}\t${about}`);
    return 0;
  },
};

/** A broken or absent daemon only means fewer suggestions: a Tab key must not print errors. */
function namesOf(context: Context): Names {
  const ask = async (list: (link: DaemonLink) => Promise<Candidate[]>): Promise<Candidate[]> => {
    try {
      const link = await context.runningDaemon();
      return link === null ? [] : await list(link);
    } catch {
      return [];
    }
  };
  return {
    accounts: () =>
      ask(async (link) =>
        (await link.accounts.listAccounts({})).accounts.map((account) => ({
          word: account.alias,
          about: printable(account.tier),
        })),
      ),
    tags: () =>
      ask(async (link) => {
        const tags = (await link.accounts.listAccounts({})).accounts.flatMap((account) => account.tags);
        return [...new Set(tags)].map((word) => ({ word, about: "tag" }));
      }),
    keys: () =>
      ask(async (link) =>
        (await link.keys.listKeys({})).keys
          .filter((key) => key.revokeTime === undefined)
          .map((key) => ({ word: key.name, about: "client key" })),
      ),
    profiles: () =>
      ask(async (link) =>
        (await link.profiles.listProfiles({})).profiles.map(({ name, accounts }) => ({
          word: name,
          about: printable(accounts) || "every account",
        })),
      ),
    settings: () =>
      ask(async (link) =>
        (await link.settings.listSettings({})).settings.map(({ key, value }) => ({
          word: key,
          about: printable(value),
        })),
      ),
    models: () =>
      ask(async (link) =>
        (await link.models.listModels({})).models
          .filter(({ listed }) => listed)
          .map(({ name, displayName }) => ({ word: name, about: printable(displayName) })),
      ),
    modelAliases: () =>
      ask(async (link) =>
        (await link.models.listModels({})).aliases.map(({ name, target }) => ({ word: name, about: target })),
      ),
    backups: () =>
      ask(async (link) => [
        { word: "latest", about: "the newest one" },
        ...(await link.backups.listBackups({})).backups.map(({ name, reason }) => ({ word: name, about: reason })),
      ]),
  };
}

export const completionCommands: readonly Command[] = [script, answer];
