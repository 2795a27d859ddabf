/**
 * Shell completion. The scripts only hand the words over; what fits is worked out here, from the command table.
 */
import type { Command, Completes, Option } from "../command.ts";
import { GLOBAL_OPTIONS } from "../syntax.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** Names that only the daemon knows; empty when none runs. */
export interface Names {
  accounts(): Promise<readonly Candidate[]>;
  tags(): Promise<readonly Candidate[]>;
  keys(): Promise<readonly Candidate[]>;
  profiles(): Promise<readonly Candidate[]>;
  settings(): Promise<readonly Candidate[]>;
  backups(): Promise<readonly Candidate[]>;
  models(): Promise<readonly Candidate[]>;
  modelAliases(): Promise<readonly Candidate[]>;
}

/** What may stand where the cursor is. `words` are those after the program's name; the last one is being typed and may be empty. */
export async function candidates(
  words: readonly string[],
  commands: readonly Command[],
  names: Names,
): Promise<Candidate[]> {
  const typed = words[0] === "ctl" ? words.slice(1) : words;
  const current = typed.at(-1) ?? "";
  const before = typed.slice(0, -1);
  const visible = commands.filter((command) => !command.hidden);
  const plain = before.filter((word) => !word.startsWith("-"));
  const command = longestMatch(plain, visible);
  // A noun may be a command of its own: `rotor login ALIAS`, beside `rotor login list`.
  const verbs = command === null || plain.length === command.path.length ? nextWords(plain, visible) : [];
  const all = command === null ? verbs : [...verbs, ...(await withinCommand(command, before, current, names))];
  return all.filter(({ word }) => word.startsWith(current)).toSorted((a, b) => (a.word < b.word ? -1 : 1));
}

function longestMatch(plain: readonly string[], commands: readonly Command[]): Command | null {
  const fits = (command: Command) => command.path.every((word, i) => plain[i] === word);
  return commands.filter(fits).toSorted((a, b) => b.path.length - a.path.length)[0] ?? null;
}

function nextWords(plain: readonly string[], commands: readonly Command[]): Candidate[] {
  const depth = plain.length;
  const found = new Map<string, string>();
  for (const { path, summary } of commands) {
    const word = path[depth];
    if (word === undefined || !plain.every((given, i) => path[i] === given)) continue;
    found.set(word, depth === path.length - 1 ? summary : (found.get(word) ?? `${word} …`));
  }
  return [...found].map(([word, about]) => ({ word, about }));
}

async function withinCommand(
  command: Command,
  before: readonly string[],
  current: string,
  names: Names,
): Promise<Candidate[]> {
  const options = command.options ?? [];
  const valued = (word: string) => options.find((option) => option.value !== undefined && isOption(word, option));
  const awaiting = valued(before.at(-1) ?? "");
  if (awaiting) return complete(awaiting.completes, names);
  if (current.startsWith("-")) return optionCandidates(options);
  const given =
    before.filter((word, i) => !word.startsWith("-") && !valued(before[i - 1] ?? "")).length - command.path.length;
  const args = command.args ?? [];
  const argument = args[given] ?? (args.at(-1)?.variadic ? args.at(-1) : undefined);
  return argument === undefined ? [] : complete(argument.completes, names);
}

function isOption(word: string, option: Option): boolean {
  return word === `--${option.name}` || (option.short !== undefined && word === `-${option.short}`);
}

function optionCandidates(options: readonly Option[]): Candidate[] {
  const own = options.map((option) => ({ word: `--${option.name}`, about: option.about }));
  const everywhere = GLOBAL_OPTIONS.map(({ flags, about }) => ({
    word: flags.replace(/^.*(--[a-z-]+).*$/, "$1"),
    about,
  }));
  return [...own, ...everywhere];
}

/** Files are the shell's own business: an empty answer makes every one of the scripts offer them. */
async function complete(what: Completes | undefined, names: Names): Promise<Candidate[]> {
  if (what === "account") return [...(await names.accounts())];
  if (what === "tag") return [...(await names.tags())];
  if (what === "key") return [...(await names.keys())];
  if (what === "profile") return [...(await names.profiles())];
  if (what === "setting") return [...(await names.settings())];
  if (what === "backup") return [...(await names.backups())];
  if (what === "model") return [...(await names.models()), ...(await names.modelAliases())];
  if (what === "model_alias") return [...(await names.modelAliases())];
  return what === undefined || what === "file" ? [] : what.map((word) => ({ word, about: "" }));
}

/** The script for a shell's start-up file. */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# rotor completion for bash; load with: source <(rotor completion bash)
_rotor_complete() {
  local line
  COMPREPLY=()
  while IFS=$'\\t' read -r line _; do
    [ -n "$line" ] && COMPREPLY+=("$line")
  done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -o nosort -F _rotor_complete rotor rotorctl
`,
  zsh: `#compdef rotor rotorctl
# rotor completion for zsh; load with: source <(rotor completion zsh)
_rotor_complete() {
  local -a found
  local word about
  while IFS=$'\\t' read -r word about; do
    [[ -n "$word" ]] && found+=("\${word//:/\\\\:}:\${about}")
  done < <("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then
    _describe 'rotor' found
  else
    _files
  fi
}
compdef _rotor_complete rotor rotorctl
`,
  fish: `# rotor completion for fish; load with: rotor completion fish | source
function __rotor_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  $words[1] complete -- $words[2..-1] "$current" 2>/dev/null
end
complete -c rotor -a '(__rotor_complete)'
complete -c rotorctl -a '(__rotor_complete)'
`,
};
