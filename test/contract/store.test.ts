/** Every store that there is, held to the one contract. */
import { createMemoryStore } from "../support/memory-store.ts";
import { createTempFolder } from "../support/temp-store.ts";
import { storeContract } from "./store.suite.ts";

storeContract("SQLite", async () => {
  const temp = createTempFolder();
  return { store: await temp.open(), remove: temp.remove };
});

storeContract("memory", async () => ({ store: createMemoryStore(), remove: async () => {} }));
