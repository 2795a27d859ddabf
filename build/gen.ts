/**
 * `npm run gen`: writes src/gen anew from proto/. The result is committed; `npm run check` fails when the two differ.
 */
import { join } from "node:path";
import { main, ROOT, run, toolPath } from "./workspace.ts";

await main(() => run(toolPath("buf"), ["generate"], { cwd: join(ROOT, "proto") }));
