/**
 * `rotor import` and `rotor import leftovers`: everything that another program kept, with a preview, and what it leaves lying about.
 */
import { AppError } from "../../base/errors.ts";
import type { Command, Context, Input } from "../command.ts";
import { confirm, YES_OPTION } from "../confirm.ts";
import { type ImportOrder, importSource, OWNER_OPTIONS, ownerWish } from "../import/import-logins.ts";
import { findSources, type ImportSource, nothingFound, productNames, sourceFor } from "../import/import-sources.ts";
import { type FoundLeftover, findLeftovers, leftoverTable, WIPE_CAVEAT, wipe } from "../import/leftovers.ts";
import { runningPrograms } from "../import/running-programs.ts";
import { askPassphrase } from "../passphrase-prompt.ts";
import { printable } from "../print.ts";

const importAll: Command = {
  path: ["import"],
  summary: "take over the accounts of another program, or of a file",
  details: [
    `A source is a file, a folder, - for standard input, or a product: ${productNames().join(", ")}. A product is looked for where it keeps its files on this system, and where its own variables point. Without a source every product is looked for and you choose; auto takes them all. codex-lb exports and pool files of Rotor are files.`,
    "Tags, notes, weights, pauses, windows, pin, strategy, settings, client keys, profiles, budgets and the ledger come along; what is decided here already stays. A known account takes fresher credentials and never older ones. All or nothing: a bad file is named with its place and nothing is changed. Nothing is sent anywhere, and no file of the other program is written.",
    "Whether Rotor renews the logins, or the program whose file it is: as with rotor account add. An encrypted store asks for its passphrase, or takes CODEX_SOFT_STORE_PASSPHRASE. More: rotor help moving.",
  ],
  args: [
    { name: "SOURCE", about: "file, folder, product, - or auto", optional: true, variadic: true, completes: "file" },
  ],
  options: [
    { name: "dry-run", about: "say what would happen and change nothing" },
    { name: "alias", value: "ALIAS", about: "name for the account, when there is exactly one" },
    ...OWNER_OPTIONS,
    { name: "passphrase-stdin", about: "the first line of standard input is the passphrase" },
    { name: "wipe-leftovers", about: "afterwards, wipe what the product left in plain text (asks)" },
    YES_OPTION,
  ],
  examples: [
    "rotor import --dry-run",
    "rotor import opencode-multi-auth",
    "rotor import logins.json --dry-run",
    "rotor import - < logins.jsonl",
  ],
  starts: true,
  async run(context, input) {
    const sources = await chosenSources(context, input);
    const order: ImportOrder = {
      alias: input.value("alias"),
      dryRun: input.has("dry-run"),
      owner: ownerWish(input),
      passphrase: input.has("passphrase-stdin") ? await askPassphrase(context) : null,
    };
    let changed = false;
    for (const source of sources) {
      if (sources.length > 1)
        context.print.note(`${source.name} (${printable(source.root ?? source.paths[0] ?? "")}):`);
      if (await importSource(context, source, order)) changed = true;
      warnOfRunning(context, source, order);
    }
    const leftovers = sources.flatMap((source) => findLeftovers(source, context.io.host.uid));
    if (input.has("wipe-leftovers") && !order.dryRun) await wipeAll(context, input, leftovers);
    else if (leftovers.length > 0) {
      const files = leftovers.length === 1 ? "a file" : `${leftovers.length} files`;
      context.print.warning(`the product left ${files} with logins in plain text: rotor import leftovers`);
    }
    if (changed && !order.dryRun) context.print.note("next: rotor connect codex (or opencode), rotor pool show");
  },
};

async function chosenSources(context: Context, input: Input): Promise<readonly ImportSource[]> {
  const words = input.rest(0);
  if (words.length > 0 && !words.includes("auto")) {
    const sources = words.map((word) => sourceFor(context, word));
    // Several files are one bundle: the daemon tells what belongs together.
    const files = sources.filter(({ product, paths }) => product === null && paths.length > 0);
    if (files.length < 2) return sources;
    const bundle = {
      ...files[0]!,
      paths: files.flatMap(({ paths }) => paths),
      name: files.map(({ name }) => name).join(", "),
    };
    return [bundle, ...sources.filter((source) => !files.includes(source))];
  }
  const found = findSources(context);
  if (found.length === 0) throw nothingFound(context);
  if (words.length > 0 || found.length === 1 || input.has("yes") || input.has("dry-run")) return found;
  return choose(context, found);
}

/** Which of several: asked where somebody can answer. */
async function choose({ io, print }: Context, found: readonly ImportSource[]): Promise<readonly ImportSource[]> {
  const lines = found.map(({ name, root, place }, index) => {
    const why = place?.setBy == null ? "" : `, set by ${place.setBy}`;
    return `  ${index + 1}  ${name} (${printable(root ?? "")}${why})`;
  });
  if (!io.stdinIsTty || print.json) {
    const names = found.map(({ name }) => name).join(", ");
    throw new AppError("confirmation_required", `there are several sources here (${names}), and nobody to choose`, {
      hint: "rotor import auto   (all of them), or name one",
    });
  }
  for (const line of ["found:", ...lines]) print.note(line);
  const answer = (await io.ask("Which? Numbers, or Enter for all: ")).trim();
  if (io.interrupted.aborted) throw new AppError("canceled", "nothing was changed", { hint: null });
  if (answer === "" || answer === "all") return found;
  const numbers = answer.split(/[\s,]+/).map(Number);
  const chosen = numbers.map((number) => found[number - 1]);
  if (chosen.some((source) => source === undefined))
    throw new AppError("bad_usage", `"${printable(answer)}" names none of them; nothing was changed`);
  return [...new Set(chosen as ImportSource[])];
}

/** Two programs that renew one login cut each other off (rotor help sharing). */
function warnOfRunning({ io, print }: Context, { product }: ImportSource, { owner }: ImportOrder): void {
  if (product === null || owner === "file") return;
  const running = runningPrograms(product, io.host);
  if (running.length === 0) return;
  const shown = running.slice(0, 3).map(({ name, pid }) => `${name} (process ${pid})`);
  print.warning(
    `${shown.join(", ")} runs and may renew these logins too: each refresh token works once, and whoever comes second loses the login. Stop it, or send it through Rotor (rotor connect)`,
  );
}

const leftovers: Command = {
  path: ["import", "leftovers"],
  summary: "files with logins in plain text that replaced products left here",
  details: [
    "Copies, backups and crash remains beside the stores of the products that Rotor imports, as their own table names them. Only your own plain files inside the product's folder are wiped, after you said so.",
    `Honestly: ${WIPE_CAVEAT}.`,
  ],
  options: [{ name: "wipe", about: "overwrite and remove them (asks)" }, YES_OPTION],
  examples: ["rotor import leftovers", "rotor import leftovers --wipe"],
  starts: true,
  async run(context, input) {
    const { print, io } = context;
    const found = findSources(context).flatMap((source) => findLeftovers(source, io.host.uid));
    if (input.has("wipe")) return void (await wipeAll(context, input, found));
    if (print.json) return void print.value({ leftovers: found });
    if (found.length === 0) return void print.note("nothing was left in plain text");
    for (const line of leftoverTable(found, context)) print.line(line);
    print.note("wipe them: rotor import leftovers --wipe");
  },
};

async function wipeAll(context: Context, input: Input, found: readonly FoundLeftover[]): Promise<void> {
  const { print, io } = context;
  const mine = found.filter(({ refusal }) => refusal === null);
  if (!print.json) for (const line of found.length > 0 ? leftoverTable(found, context) : []) print.line(line);
  if (mine.length === 0) {
    if (print.json) print.value({ wiped: [] });
    return print.note("there is nothing to wipe");
  }
  print.note(WIPE_CAVEAT);
  await confirm(context, input, {
    question: `Wipe ${mine.length === 1 ? "this file" : `these ${mine.length} files`}?`,
    command: "rotor import leftovers --wipe --yes",
  });
  const failed: string[] = [];
  for (const one of mine) {
    try {
      await wipe(one, io.host.uid);
    } catch (cause) {
      failed.push(`${one.path}: ${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}`);
    }
  }
  if (print.json)
    print.value({
      wiped: mine.filter(({ path }) => !failed.some((text) => text.startsWith(`${path}:`))).map(({ path }) => path),
    });
  print.note(`wiped ${mine.length - failed.length} of ${mine.length}`);
  if (failed.length > 0) throw new AppError("internal", `not wiped: ${failed.join("; ")}`);
}

export const importCommands: readonly Command[] = [importAll, leftovers];
