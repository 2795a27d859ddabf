/** The files of an engine in memory, for tests of the doors: paths are watched and forgotten; every file holds a login of nobody. */
import { AppError } from "../../src/base/errors.ts";
import { type Account, type AccountId, OWNED_HERE } from "../../src/domain/account.ts";
import type { FileDesk, FileView } from "../../src/pool/engine.ts";

export interface FakeFiles extends FileDesk {
  /** Shows a file as it is given. */
  show(view: FileView): void;
}

export function createFakeFiles(
  nowMs: () => number,
  find: (id: AccountId) => Account,
  put: (account: Account) => Account,
): FakeFiles {
  const views = new Map<string, FileView>();
  const viewOf = (path: string): FileView => ({
    path,
    addedAtMs: nowMs(),
    lookedAtMs: nowMs(),
    state: "login",
    reason: null,
    accountId: null,
    notice: "offered",
  });
  const require = (path: string) => {
    const view = views.get(path);
    if (!view) throw new AppError("file_not_watched", `${path} is not a watched file`);
    return view;
  };
  return {
    show: (view) => void views.set(view.path, view),
    list: () => [...views.values()],
    holding: (id) => [...views.values()].filter((view) => view.accountId === id),
    async watch(path) {
      if (!path.startsWith("/")) throw new AppError("invalid_login_file", `${path}: the path must be absolute`);
      const view = views.get(path) ?? viewOf(path);
      views.set(path, view);
      return view;
    },
    async unwatch(path) {
      require(path);
      views.delete(path);
    },
    async sync(path, dryRun) {
      const wanted = path === null ? [...views.values()] : [require(path)];
      const reason = "a login that is not here yet";
      return wanted.map((view) => ({ view, action: dryRun ? "nothing" : "add", reason, alias: "" }));
    },
    async switchTo(id, path, dryRun) {
      const before = find(id);
      const account = dryRun ? before : put({ ...before, refreshOwner: { kind: "file", path } });
      const left = { previous: null, previousKept: "nothing_there", backupPath: null } as const;
      return { path, account, ...left, written: true };
    },
    take: async (id) => put({ ...find(id), refreshOwner: OWNED_HERE }),
  };
}
