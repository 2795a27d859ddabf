/**
 * `rotor connect TOOL --print`: the exact text to put into a tool's configuration by hand. Edits no file and starts no daemon, unless a key is
 * to be made.
 */
import { loadConfig } from "../../base/config.ts";
import { AppError } from "../../base/errors.ts";
import type { Context } from "../command.ts";
import { readDaemonFile } from "../daemon-link.ts";
import { isAlive } from "../process-table.ts";
import { KEY_VARIABLE, stanzaFor } from "../stanza.ts";
import { hasLogin } from "./opencode.ts";

export async function printStanza(context: Context, client: string, keyName: string | null): Promise<undefined> {
  const { io, print } = context;
  const secret = keyName === null ? null : (await (await context.daemon()).keys.createKey({ name: keyName })).secret;
  const stanza = stanzaFor(client, proxyUrlOf(context));
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
  if (client === "opencode" && hasLogin(io.host)) {
    print.warning("OpenCode holds an OpenAI login and would not use this; take it off with: opencode auth logout");
  }
}

/** A running daemon knows its address; without one the config says what it will be. */
export function proxyUrlOf({ io, paths }: Context): string {
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
