/** OpenCode as a server (`opencode serve`), for conversations of more than one turn: its HTTP API, as its own TUI uses it. */
import type { World } from "./harness.ts";

export interface OpenCodeServer {
  readonly pid: number;
  /** A new conversation; its id. */
  begin(): Promise<string>;
  /** What the model answers; throws when it does not. */
  say(id: string, text: string, model?: string): Promise<string>;
  /** What the model makes of a slash command. */
  order(id: string, command: string, words: string): Promise<string>;
  /** Why it does not answer. */
  fails(id: string, text: string): Promise<string>;
  close(): Promise<void>;
}

interface Message {
  readonly info?: { readonly error?: { readonly data?: { readonly message?: string } } };
  readonly parts?: readonly { readonly type: string; readonly text?: string }[];
}

const MODEL = "gpt-5.5";

export async function openServer(
  world: World,
  opencode: string,
  env: Readonly<Record<string, string>>,
): Promise<OpenCodeServer> {
  const started = world.start([opencode, "serve", "--port", "0", "--hostname", "127.0.0.1"], { env });
  const [, url] = await started.prints(/listening on (http:\/\/\S+)/, 120_000);
  const post = async (path: string, body: object): Promise<unknown> => {
    const answer = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`opencode: ${path}: ${answer.status} ${await answer.text()}`);
    return await answer.json();
  };
  const prompt = async (id: string, text: string, modelID = MODEL) => {
    const model = { providerID: "openai", modelID };
    return (await post(`/session/${id}/message`, { model, parts: [{ type: "text", text }] })) as Message;
  };
  return {
    pid: started.pid,
    begin: async () => ((await post("/session", { title: "a test" })) as { id: string }).id,
    say: async (id, text, model) => textOf(await prompt(id, text, model)),
    order: async (id, command, words) =>
      textOf(
        (await post(`/session/${id}/command`, { command, arguments: words, model: `openai/${MODEL}` })) as Message,
      ),
    async fails(id, text) {
      const { info } = await prompt(id, text);
      const said = info?.error?.data?.message;
      if (said === undefined) throw new Error("it was answered");
      return said;
    },
    close: async () => void (await started.stop()),
  };
}

function textOf({ info, parts = [] }: Message): string {
  if (info?.error !== undefined) throw new Error(`opencode: ${JSON.stringify(info.error)}`);
  return parts
    .flatMap((part) => (part.type === "text" ? [part.text ?? ""] : []))
    .join("")
    .trim();
}
