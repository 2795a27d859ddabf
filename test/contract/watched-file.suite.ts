/** The part of the contract of a store that keeps watched files; a part of store.suite.ts. */
import { expect, test } from "bun:test";
import type { Store } from "../../src/store/store.ts";

export function watchedFiles(store: () => Store): void {
  test("watched files stay in their order; one that is there already stays as it is", async () => {
    await store().addWatchedFile({ path: "/home/me/.codex/auth.json", addedAtMs: 1_000 });
    await store().addWatchedFile({ path: "/home/me/other.json", addedAtMs: 1_001 });
    await store().addWatchedFile({ path: "/home/me/.codex/auth.json", addedAtMs: 1_002 });
    await store().removeWatchedFile("/home/me/other.json");
    await store().removeWatchedFile("/home/me/never.json");
    expect((await store().loadPool()).watchedFiles).toEqual([{ path: "/home/me/.codex/auth.json", addedAtMs: 1_000 }]);
  });
}
