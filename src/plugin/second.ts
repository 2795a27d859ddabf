/**
 * The plugin for OpenCode 2.x, which gives no `fetch`: each request to OpenAI gets the daemon's address before it is made, and the key of the
 * handshake in place of the person's own once it is signed. A throw ends the request, so that it fails closed. Written from the sources of
 * OpenCode 2.0 and run against a copy of its loader (test/plugin), not against the program.
 */
import { createLink } from "./link.ts";
import { isRecord, optionsOf } from "./places.ts";
import { downMessage, withoutTheirs } from "./routed-fetch.ts";
import { answer, HELP } from "./words.ts";

interface ModelRequest {
  baseURL?: string;
}

interface HttpRequest {
  request: Request;
}

interface SocketHandshake {
  url: string;
  headers: Record<string, string>;
}

type Hook = (name: string, act: (event: never) => Promise<void>, filter?: { providerID?: string }) => unknown;

/** What of OpenCode's context is used; each part may be missing in a version. */
interface Context {
  readonly options?: unknown;
  readonly directory?: string;
  readonly session?: { readonly hook?: Hook };
  readonly tool?: { readonly transform?: (change: (tools: unknown) => void) => unknown };
  readonly command?: { readonly transform?: (change: (commands: unknown) => void) => unknown };
}

export async function setup(context: Context): Promise<void> {
  const hook = context.session?.hook;
  // OpenCode 1.x calls this too, after `server`, with a context that knows no conversations.
  if (hook === undefined) return;
  const options = optionsOf(context.options, import.meta.url);
  const directory = context.directory ?? process.cwd();
  const link = createLink(options, { client: "opencode", clientVersion: "2", directory });
  const greet = () =>
    link.greet().catch((error: unknown) => {
      throw new Error(downMessage(error));
    });
  /** The key is for the daemon alone, and nothing of OpenAI's goes past it, whatever led a request elsewhere after all. */
  const keyFor = async (url: string): Promise<string> => {
    const { key = "", proxyUrl = "" } = await greet();
    if (new URL(url).host === new URL(proxyUrl).host) return key;
    throw new Error(downMessage(new Error("the request was made for another address than the daemon's")));
  };
  const ours = { providerID: "openai" };
  await hook.call(
    context.session,
    "model.request",
    async (event: ModelRequest) => {
      event.baseURL = `${(await greet()).proxyUrl ?? ""}/v1`;
    },
    ours,
  );
  await hook.call(
    context.session,
    "http.request",
    async (event: HttpRequest) => {
      const headers = withoutTheirs(event.request.headers);
      headers.set("authorization", `Bearer ${await keyFor(event.request.url)}`);
      event.request = new Request(event.request, { headers });
    },
    ours,
  );
  await hook.call(
    context.session,
    "http.response",
    // A daemon that was started since knows the key no more; OpenCode's next try brings it again.
    async (event: { response?: Response }) => {
      if (event.response?.status === 401) link.forget();
    },
    ours,
  );
  // Newer builds only; one that does not know it has no such socket either.
  await Promise.resolve()
    .then(() =>
      hook.call(
        context.session,
        "experimental.ws.handshake",
        async (event: SocketHandshake) => {
          const headers = withoutTheirs(event.headers);
          headers.set("authorization", `Bearer ${await keyFor(event.url)}`);
          event.headers = Object.fromEntries(headers);
        },
        ours,
      ),
    )
    .catch(() => {});
  offer(context.tool, "rotor_status", {
    description: "What Rotor, the local pool of ChatGPT accounts, has left. Takes nothing, changes nothing.",
    args: {},
    execute: () => answer(link, "status"),
  });
  offer(context.command, "rotor", {
    description: `Rotor: ${HELP}`,
    template: "Call rotor_status and show what it says.",
  });
}

/** Adds an entry to a collection that can be added to; a version that spells it otherwise goes without. */
function offer(part: Context["tool"], name: string, entry: object): void {
  try {
    part?.transform?.((all) => {
      if (!isRecord(all)) return;
      if (typeof all.add === "function") all.add({ id: name, name, ...entry });
      else all[name] ??= entry;
    });
  } catch {
    // Only comfort is missing.
  }
}
