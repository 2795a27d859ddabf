/**
 * `npm run gen`: writes anew what is generated and committed: src/gen from proto/, and the texts of the OpenCode plugin from src/plugin.
 * `npm run check` fails when they differ.
 */
import { join } from "node:path";
import { writePluginTexts } from "./plugin.ts";
import { main, ROOT, run, toolPath } from "./workspace.ts";

await main(async () => {
  await writePluginTexts();
  return await run(toolPath("buf"), ["generate"], { cwd: join(ROOT, "proto") });
});
