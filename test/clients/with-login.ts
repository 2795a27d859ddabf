/** Codex with a ChatGPT login of its own, as the desktop app has one, and Rotor's key in its base URLs. */
import type { World } from "./harness.ts";

/**
 * Two hosts on purpose: where both base URLs have one origin, Codex goes to chatgpt.com by itself (wire §0.4). Its own login is one that
 * Rotor does not have, so that an answer can only come through Rotor's accounts.
 */
export async function withLogin(world: World, aloneLogin: { tokens: Record<string, string> }): Promise<void> {
  const { port } = new URL(world.proxyUrl);
  world.write(
    ".codex/config.toml",
    `model = "gpt-5.5"
chatgpt_base_url = "http://localhost:${port}/k/${world.key}/backend-api"
openai_base_url = "http://127.0.0.1:${port}/k/${world.key}/backend-api/codex"

[features]
plugins = false
apps = false

[analytics]
enabled = false
`,
  );
  world.write(".codex/auth.json", JSON.stringify(aloneLogin));
}
