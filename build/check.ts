/**
 * `npm run check`: types, then the house laws (which run the formatter, buf and the drift check of generated code). No binary needed.
 */
import { runStages, summarize } from "./stages.ts";
import { main } from "./workspace.ts";

await main(async () => summarize(await runStages(["types", "house"])));
