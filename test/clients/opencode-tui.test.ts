/**
 * OpenCode in a terminal, with Rotor's plugin and what it shows there: what is left beside the prompt, an answer, a toast for a move, and the
 * pool's orders without a model.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { OPENCODE_PLUGIN_TEXT, OPENCODE_TUI_TEXT } from "../../src/cli/plugin-text.ts";
import { listExchanges, nextAccount } from "./exchanges.ts";
import { inWorld } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";

setDefaultTimeout(280_000);

const OFFLINE = {
  OPENCODE_DISABLE_MODELS_FETCH: "1",
  OPENCODE_DISABLE_AUTOUPDATE: "1",
  OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
};

clientSuite("opencode in a terminal", () => {
  test("status, answer, a move, and the palette's orders", async () => {
    const { opencode } = installClients();
    await inWorld(async (world) => {
      world.write(".config/opencode/plugins/rotor.js", OPENCODE_PLUGIN_TEXT);
      const tui = world.write(".config/opencode/rotor/rotor-tui.js", OPENCODE_TUI_TEXT);
      world.write(".config/opencode/tui.json", JSON.stringify({ plugin: [`file://${tui}`] }));
      await world.ctl("model", "list");
      const first = await nextAccount(world);
      const screen = world.sit([opencode], { env: OFFLINE });
      try {
        await screen.shows(new RegExp(`rotor ${first} \\d+% · 3/3`));
        screen.press("say hello");
        await screen.shows(/┃ {2}say hello/);
        screen.press("\r");
        // The title says the same beside it; how long it took stands there when the turn has ended.
        await screen.shows(/▣ +Build · .* · [\d.]+m?s/);
        expect(screen.text()).toContain(`SIM ${first} says: say hello`);
        await world.upstream.exhaust(first);
        screen.press("say more");
        await screen.shows(/┃ {2}say more/);
        screen.press("\r");
        await screen.shows(new RegExp(`Moved from ${first} to \\w+`));
        // One account is held now, and the status says so once the answer is there.
        await screen.shows(/rotor \w+ \d+% · 2\/3/);
        screen.press("/rotor-acc");
        await screen.shows(/\/rotor-accounts +Rotor: accounts/);
        screen.press("\r");
        await screen.shows(/Rotor: 2 of 3 accounts usable/);
        expect(screen.text()).toContain(`${first} · ${first} · 5h 100% used`);
      } finally {
        await screen.close();
      }
      const asked = await listExchanges(world);
      expect(asked.map(({ status }) => status)).toEqual(asked.map(() => 200));
      // Orders from the palette ask no model: a title, and two turns.
      expect(asked).toHaveLength(3);
    });
  });
});
