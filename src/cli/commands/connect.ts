/**
 * `rotor connect CLIENT --print`: the exact stanza for a client. Edits no file.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../base/config.ts";
import { AppError } from "../../base/errors.ts";
import type { Command, Context } from "../command.ts";
import { readDaemonFile } from "../daemon-link.ts";
import { isAlive } from "../process-table.ts";
import { notFound } from "../resolve.ts";
import { CLIENT_NAMES, type ClientName, isClientName, KEY_VARIABLE, stanzaFor } from "../stanza.ts";

export const connectCommands: readonly Command[] = [
  {
    path: ["connect"],
    summary: "what a client needs to be told to go through Rotor",
    details: [
      "Prints the stanza on stdout and where it belongs on stderr. This version edits no files of other programs.",
      `Clients read their key from the variable ${KEY_VARIABLE}. --key NAME makes a key with that label (and starts the daemon if need be); without it, use one that you have.`,
    ],
    args: [{ name: "CLIENT", about: CLIENT_NAMES.join(", "), completes: CLIENT_NAMES }],
    options: [
      { name: "print", about: "print the stanza" },
      { name: "key", value: "NAME", about: "also make a client key with this label" },
    ],
    examples: ["rotor connect codex --print --key laptop", "rotor connect python --print > ask.py"],
    starts: true,
    async run(context, input) {
      const client = input.arg(0) ?? "";
      if (!isClientName(client)) {
        const message = `${notFound("client", client, CLIENT_NAMES)}; there are ${CLIENT_NAMES.join(", ")}`;
        throw new AppError("bad_usage", message, { hint: "rotor help connect" });
      }
      if (!input.has("print")) {
        throw new AppError(
          "bad_usage",
          "this version does not edit the files of other programs; it prints what to put there",
          {
            hint: `rotor connect ${client} --print`,
          },
        );
      }
      await printStanza(context, client, input.value("key"));
    },
  },
];

async function printStanza(context: Context, client: ClientName, keyName: string | null): Promise<void> {
  const { io, print } = context;
  const secret = keyName === null ? null : (await (await context.daemon()).keys.createKey({ name: keyName })).secret;
  const stanza = stanzaFor(client, proxyUrl(context));
  if (print.json) {
    const { place, text, remarks } = stanza;
    print.value({ client, place, stanza: text, remarks, env: { [KEY_VARIABLE]: secret } });
    return;
  }
  // For a shell the key is one more line of the same kind: eval "$(rotor connect shell --print --key NAME)" sets everything.
  const inline = client === "shell" && secret !== null;
  io.stdout.write(inline ? `export ${KEY_VARIABLE}=${secret}\n${stanza.text}` : stanza.text);
  print.note(`put this into ${stanza.place}`);
  if (inline) return;
  if (secret !== null) print.note(`and into the environment of the client: export ${KEY_VARIABLE}=${secret}`);
  else print.note(`and a client key into its environment: export ${KEY_VARIABLE}=$(rotor key create ${client})`);
  for (const remark of stanza.remarks) print.note(`note: ${remark}`);
  if (client === "opencode" && hasOpenCodeLogin(context)) {
    print.warning("OpenCode holds an OpenAI login and would not use this; take it off with: opencode auth logout");
  }
}

/** A running daemon knows its address; without one the config says what it will be. */
function proxyUrl({ io, paths }: Context): string {
  const trace = readDaemonFile(paths);
  if (trace?.proxyUrl && isAlive(trace.pid)) return trace.proxyUrl;
  const { host, port } = loadConfig(paths.configFile, io.host).proxy;
  if (port === 0) {
    throw new AppError(
      "daemon_unreachable",
      "the config takes any free port for the proxy, and no daemon runs to say which",
    );
  }
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** OpenCode's own plug-in sends requests straight to chatgpt.com when it finds such a login (OpenCode 1.18). */
function hasOpenCodeLogin({ io }: Context): boolean {
  const data = io.host.env.XDG_DATA_HOME || join(io.host.homeDir, ".local", "share");
  const path = join(data, "opencode", "auth.json");
  if (!existsSync(path)) return false;
  try {
    const logins = JSON.parse(readFileSync(path, "utf8")) as { openai?: { type?: unknown } };
    return logins.openai?.type === "oauth";
  } catch {
    return false;
  }
}
