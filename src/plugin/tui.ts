/**
 * The plugin for OpenCode's terminal: what the pool has left beside the prompt, and orders to it in the command palette, without a model in
 * between. Loaded from tui.json, beside the plugin itself. Shows and orders; decides nothing, and sends no request of a model.
 */
import { createLink, type Link } from "./link.ts";
import { optionsOf } from "./places.ts";
import { accountLine, accountsOf, answer, clock, poolOf, STRATEGIES, strategyWord } from "./words.ts";

interface Dialogs {
  replace(render: () => unknown): void;
  clear(): void;
}

interface Choice {
  readonly title: string;
  readonly value: string;
  readonly description?: string;
}

/** What of OpenCode's TUI is used. */
interface Tui {
  readonly app?: { readonly version?: string };
  readonly state?: { readonly path?: { readonly directory?: string } };
  readonly theme?: { readonly current?: { readonly textMuted?: unknown; readonly warning?: unknown } };
  readonly ui: {
    toast(toast: object): void;
    readonly dialog: Dialogs;
    DialogAlert(props: object): unknown;
    DialogSelect(props: object): unknown;
  };
  readonly keymap: { registerLayer(layer: { commands: readonly object[] }): unknown };
  readonly event: { on(type: string, handler: () => void): () => void };
  readonly slots: { register(plugin: object): unknown };
  readonly lifecycle?: { onDispose(act: () => void): unknown };
}

/** An element of the host's renderer; its text is set in place. */
interface TextElement {
  content: string;
  fg: unknown;
  readonly isDestroyed?: boolean;
}

/** A minute: what changes by itself changes slowly, and each answer of a model is looked at anyway. */
const LOOK_EVERY_MS = 60_000;

async function tui(api: Tui, given?: unknown): Promise<void> {
  const directory = api.state?.path?.directory || process.cwd();
  const facts = { client: "opencode", clientVersion: api.app?.version ?? "", directory };
  const link = createLink(optionsOf(given, import.meta.url), facts);
  const status = createStatus(api);
  const look = async () => {
    try {
      const [pool, accounts] = await Promise.all([poolOf(link), accountsOf(link)]);
      const usable = pool.usableCount ?? 0;
      const next = accounts.find(({ id }) => id === pool.nextAccountId);
      const used = Math.max(0, ...(next?.windows ?? []).map((window) => Math.round(Number(window.usedPercent ?? 0))));
      const left = next === undefined ? "" : `${next.alias} ${100 - used}% · `;
      const until = usable > 0 || pool.nextUsableTime === undefined ? "" : `until ${clock(pool.nextUsableTime)} · `;
      status.show(`rotor ${left}${until}${usable}/${accounts.length}`, usable === 0);
    } catch {
      status.show("rotor is down", true);
    }
  };
  registerCommands(api, link, look);
  await status.register();
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  timer.unref?.();
  const stop = api.event.on("session.idle", () => void look());
  api.lifecycle?.onDispose(() => {
    clearInterval(timer);
    stop();
    void link.report({ kind: "CLOSED" });
  });
  await link.greet().catch(() => null);
  await look();
}

/** Orders in the palette; each is answered by the daemon, and no model is asked. */
function registerCommands(api: Tui, link: Link, look: () => Promise<void>): void {
  const order = (line: string) =>
    void answer(link, line).then((said) => {
      api.ui.toast({ title: "Rotor", message: said, variant: "info", duration: 6_000 });
      void look();
    });
  const say = (title: string, line: string) =>
    void answer(link, line).then((message) => api.ui.dialog.replace(() => api.ui.DialogAlert({ title, message })));
  const choose = (title: string, options: readonly Choice[], verb: string, current?: string) =>
    api.ui.dialog.replace(() =>
      api.ui.DialogSelect({
        title,
        options,
        current,
        onSelect: ({ value }: Choice) => {
          api.ui.dialog.clear();
          order(`${verb} ${value}`);
        },
      }),
    );
  const pin = async () => {
    const [pool, accounts] = await Promise.all([poolOf(link), accountsOf(link)]);
    const options = accounts.map((account) => ({
      title: account.alias ?? "",
      value: account.alias ?? "",
      description: accountLine(account, pool).split(" · ").slice(1).join(" · "),
    }));
    choose("Pin to an account", options, "pin");
  };
  const strategy = async () => {
    const now = strategyWord(await poolOf(link));
    choose(
      "How accounts are chosen",
      STRATEGIES.map((value) => ({ title: value, value })),
      "strategy",
      now,
    );
  };
  const orSay = (work: () => Promise<void>) => () => void work().catch(() => say("Rotor", "status"));
  const command = (name: string, title: string, run: () => void) => ({
    namespace: "palette",
    category: "Rotor",
    name: `rotor.${name}`,
    title,
    slashName: `rotor-${name}`,
    run,
  });
  api.keymap.registerLayer({
    commands: [
      command("accounts", "Rotor: accounts", () => say("Rotor", "accounts")),
      command("explain", "Rotor: who is next, and why", () => say("Rotor", "explain")),
      command("pin", "Rotor: pin to an account", orSay(pin)),
      command("unpin", "Rotor: end the pin", () => order("unpin")),
      command("strategy", "Rotor: how accounts are chosen", orSay(strategy)),
    ],
  });
}

/** The text beside the prompt, wherever a prompt is. A host without these slots shows none. */
function createStatus(api: Tui) {
  const elements = new Set<TextElement>();
  let text = "";
  let isBad = false;
  const paint = (element: TextElement) => {
    element.content = text;
    const colour = isBad ? api.theme?.current?.warning : api.theme?.current?.textMuted;
    if (colour !== undefined) element.fg = colour;
  };
  return {
    show(next: string, bad: boolean) {
      text = next;
      isBad = bad;
      for (const element of elements) {
        if (element.isDestroyed) elements.delete(element);
        else paint(element);
      }
    },
    async register() {
      try {
        // The host gives it to its plugins; there is no such package here.
        const name = "@opentui/solid";
        const { createElement } = (await import(name)) as { createElement(tag: string): TextElement };
        const draw = () => {
          const element = createElement("text");
          elements.add(element);
          paint(element);
          return element;
        };
        api.slots.register({ order: 50, slots: { home_prompt_right: draw, session_prompt_right: draw } });
      } catch {
        // Only comfort is missing.
      }
    },
  };
}

export default { id: "rotor-tui", tui };
