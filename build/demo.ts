/**
 * `npm run demo`: builds what changed, then runs `rotor demo` with the same arguments. All of the show is in the product.
 */
import { compileHere } from "./compile.ts";
import { main, run } from "./workspace.ts";

await main(async () => run(await compileHere(), ["demo", ...process.argv.slice(2)]));
