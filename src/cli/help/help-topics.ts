/**
 * `rotor help TOPIC`: what a person must know that belongs to no single command. Fits 80 columns.
 */
import { CHAT_FIELDS } from "../../base/chat-fields.ts";
import { ERROR_TABLE, type ErrorCode, type ErrorRow } from "../../base/errors.ts";
import { MOVING_TOPICS } from "../moving/moving-topic.ts";
import { renderTable } from "../text/table.ts";
import { CLIENTS_TOPIC } from "./clients-topic.ts";
import { CODEX_TOPIC } from "./codex-topic.ts";
import { CONFIG_TOPIC } from "./config-topic.ts";
import { ERROR_MEANINGS } from "./error-meanings.ts";
import { FAIR_USE_TOPIC } from "./fair-use-topic.ts";
import { IMPORT_TOPIC } from "./import-topic.ts";
import { LIMITS_TOPIC } from "./limits-topic.ts";
import { METRICS_TOPIC } from "./metrics-topic.ts";
import { MODELS_TOPIC } from "./models-topic.ts";
import { OPENCODE_TOPIC } from "./opencode-topic.ts";
import { CHOICE_TOPICS } from "./rules-topic.ts";
import { SEAL_TOPIC } from "./seal-topic.ts";
import { SHARING_TOPIC } from "./sharing-topic.ts";
import { TROUBLESHOOTING_TOPIC } from "./troubleshooting-topic.ts";
import { WINDOWS_TOPIC } from "./windows-topic.ts";

export interface Topic {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly about: string;
  text(): string;
}

const install = `INSTALL

Rotor is one file. Put it somewhere on your PATH and it is installed:

    install -m 755 rotor ~/.local/bin/rotor
    ln -s rotor ~/.local/bin/rotorctl        # optional: the same program

Then, with the login that the Codex CLI has on this machine, or your own
sign-in (rotor login work):

    rotor account add --alias work           # more: rotor login
    rotor connect codex                      # shows what would change, asks
    rotor status

The daemon starts when a command needs it. A service manager runs
rotor up --foreground instead. rotor path says where everything is kept;
to remove Rotor: rotor disconnect --all, rotor down, and delete those files.

Try it without any account: rotor demo.`;

const login = `LOGIN

    rotor login [ALIAS]              a browser here, or else a code
    rotor login --no-browser         print the address instead of opening it
    rotor login --device             type a code on a page, anywhere
    rotor login --manual             any browser; paste where it ends
    rotor account relogin ALIAS      renew a login that is lost
    rotor login list                 logins that are open, or ended lately
    rotor login cancel ID            call one off (--all: every one)

A browser comes back to port 1455 or 1457 of this machine. Over SSH it runs on
another one: use --device, or let the port through (ssh -L 1455:127.0.0.1:1455).
A code is taken where no browser can be opened here: over SSH, without DISPLAY
and WAYLAND_DISPLAY, or with ROTOR_NO_BROWSER set. Ctrl-C calls a login off.

--manual reads the address that the browser ended at from the terminal, or
from standard input when that is a pipe. --json prints the login after every
change, one JSON document a line, and asks nothing.

Many at once, one after the other:

    rotor login --from FILE --check  what would be done
    rotor login --from FILE          do it, and go on after a break
    rotor login --from FILE --only ALIAS

FILE has one account a line: an e-mail address, after a blank an alias if you
want one, and the word disabled at the end to leave it out. # begins a comment.

    ann@example.org  work
    ann@example.org  club            # another workspace of the same address
    bob@example.org  bob  disabled

Accounts that are here and whose login works are left alone. The address is
suggested to the sign-in page; you do the signing in. Rotor takes no passwords
and reads no mail: a line that looks as if it held a password is refused.`;

/** Fate after fate: what is taken over first, what is refused last. */
const FATES = ["mapped", "dropped", "refused"] as const;

function chatText(): string {
  const rows = FATES.flatMap((fate) =>
    Object.entries(CHAT_FIELDS)
      .filter(([, row]) => row.fate === fate)
      .map(([field, row]) => [field, fate, row.note]),
  );
  const columns = [{ header: "FIELD" }, { header: "FATE" }, { header: "NOTE" }];
  return [
    "CHAT",
    "",
    "POST /v1/chat/completions serves programs that speak Chat Completions. Upstream",
    "speaks Responses: requests and answers are translated, and what has no",
    "counterpart there is dropped or refused, by this table. Fields that are not in",
    "it are dropped; null counts as absent.",
    "",
    ...renderTable(columns, rows, { width: 80 }),
    "",
    "A refused field is a 400 with code unsupported_parameter and its name in param.",
    "",
    "Images go by address or data URL, files as file_data; audio is refused.",
    "Summaries of reasoning come as reasoning_content, beside content; upstream is",
    "asked for them when reasoning_effort is set. Several messages of one answer are",
    "joined by an empty line. An answer that was cut short has finish_reason length",
    "or content_filter; a stream that fails after its first chunk ends with an error",
    'object ({"error":{...}}) and without [DONE], which the SDKs raise as an error.',
    "",
    "With curl:",
    "",
    "    curl http://127.0.0.1:4747/v1/chat/completions \\",
    '      -H "authorization: Bearer $ROTOR_KEY" \\',
    '      -H "content-type: application/json" \\',
    '      -d \'{"model":"gpt-5.5","messages":[{"role":"user","content":"Hello."}]}\'',
  ].join("\n");
}
const EXIT_MEANINGS: readonly (readonly [string, string])[] = [
  ["0", "done"],
  ["1", "failed"],
  ["2", "bad usage"],
  ["3", "the daemon cannot be reached"],
  ["4", "not found"],
  ["5", "refused"],
  ["130", "stopped by Ctrl-C, 143 by SIGTERM: 128 + the signal's number"],
];

function errorsText(): string {
  const rows = Object.entries(ERROR_TABLE).map(([code, row]: [string, ErrorRow]) => {
    const mend = row.hint === null ? "" : `; try: ${row.hint}`;
    return [code, String(row.exit), `${ERROR_MEANINGS[code as ErrorCode]}${mend}`];
  });
  const columns = [{ header: "CODE" }, { header: "EXIT" }, { header: "WHAT IT MEANS, AND WHAT MENDS IT" }];
  return [
    "ERRORS",
    "",
    "A failed command says what failed, why, and the one command that mends it, on",
    'stderr. With --json that is {"error":{"code","message","hint","retry_time"}}.',
    "Codes are added, never renamed.",
    "",
    ...EXIT_MEANINGS.map(([exit, meaning]) => `    exit ${exit.padEnd(3)}  ${meaning}`),
    "",
    ...renderTable(columns, rows, { width: 80 }),
  ].join("\n");
}

export const TOPICS: readonly Topic[] = [
  { name: "install", aliases: ["start"], about: "put Rotor to work, and take it away again", text: () => install },
  {
    name: "config",
    aliases: ["environment"],
    about: "config file and environment variables",
    text: () => CONFIG_TOPIC,
  },
  {
    name: "clients",
    aliases: ["client"],
    about: "what to tell Codex, OpenCode, SDKs and curl",
    text: () => CLIENTS_TOPIC,
  },
  {
    name: "codex",
    aliases: ["codex-cli", "codex-app"],
    about: "one run, every run, the desktop app; conversations and signals",
    text: () => CODEX_TOPIC,
  },
  {
    name: "chat",
    aliases: ["completions", "chat-completions"],
    about: "Chat Completions: which field becomes what",
    text: chatText,
  },
  { name: "models", aliases: ["model"], about: "models, and what names stand for", text: () => MODELS_TOPIC },
  { name: "login", aliases: ["logins", "sign-in"], about: "ways to sign in, and to many at once", text: () => login },
  {
    name: "import",
    aliases: ["importing"],
    about: "files of logins, and what becomes of them",
    text: () => IMPORT_TOPIC,
  },
  ...CHOICE_TOPICS,
  {
    name: "limits",
    aliases: ["limit", "budgets", "prices", "cost"],
    about: "what is used, what it would cost, and how to bound it",
    text: () => LIMITS_TOPIC,
  },
  {
    name: "seal",
    aliases: ["passphrase", "keychain"],
    about: "what the logins on the disk are sealed with",
    text: () => SEAL_TOPIC,
  },
  {
    name: "windows",
    aliases: ["window", "probing", "credits"],
    about: "what accounts have left, and what clients see of it",
    text: () => WINDOWS_TOPIC,
  },
  {
    name: "sharing",
    aliases: ["share", "auth.json"],
    about: "logins that another program uses too",
    text: () => SHARING_TOPIC,
  },
  ...MOVING_TOPICS,
  {
    name: "opencode",
    aliases: ["plugin"],
    about: "the plugin for OpenCode: what it does, /rotor, its options",
    text: () => OPENCODE_TOPIC,
  },
  {
    name: "metrics",
    aliases: ["prometheus", "monitoring"],
    about: "what a Prometheus can fetch, and how to let it",
    text: () => METRICS_TOPIC,
  },
  {
    name: "troubleshooting",
    aliases: ["trouble", "problems"],
    about: "what you see when something does not work, and where to look",
    text: () => TROUBLESHOOTING_TOPIC,
  },
  {
    name: "errors",
    aliases: ["exit-codes", "exit"],
    about: "every error code, its exit code and what mends it",
    text: errorsText,
  },
  {
    name: "fair-use",
    aliases: ["fair"],
    about: "what Rotor is for and what it does not do",
    text: () => FAIR_USE_TOPIC,
  },
];

export function topicsText(): string {
  const width = Math.max(...TOPICS.map((topic) => topic.name.length));
  return [
    "Topics",
    "",
    ...TOPICS.map((topic) => `  ${topic.name.padEnd(width)}  ${topic.about}`),
    "",
    "Read one: rotor help TOPIC",
  ].join("\n");
}

export function findTopic(name: string): Topic | null {
  const wanted = name.toLowerCase().replaceAll(" ", "-");
  return TOPICS.find((topic) => topic.name === wanted || topic.aliases.includes(wanted)) ?? null;
}
