/**
 * Profiles: a named view of the pool for a project or a client key: which accounts, which models, which strategy, and rules of its own.
 * Here is what one is and which one an ask gets. Pure.
 */
import type { Who } from "./rule.ts";
import type { StrategyName } from "./strategy.ts";

export interface Profile {
  /** An alias in form. */
  readonly name: string;
  /** Whom it may use; none = every account. */
  readonly accounts: readonly Who[];
  /** null = the pool's. */
  readonly strategy: StrategyName | null;
  /** Patterns of the models that may be asked for; none = every model. */
  readonly models: readonly string[];
  /** Lines, after those of the pool. */
  readonly rules: readonly string[];
  /** Client keys that always ask through it. */
  readonly keyIds: readonly string[];
  /** Project directories whose clients ask through it. */
  readonly projects: readonly Project[];
  /** Names of budgets that what is asked through it counts to, beside those of its key and project. */
  readonly budgets: readonly string[];
}

export interface Project {
  /** `demo-1a2b3c4d5e6f`: folder name and digest of the repository's path; the same in all of its worktrees. Sent as `x-rotor-project`. */
  readonly key: string;
  /** Folder as it was when it was bound; for people. */
  readonly path: string;
}

/** What selection must know of the profile that asks. */
export interface ProfileScope {
  readonly name: string;
  readonly accounts: readonly Who[];
}

/** What a request says that may choose a profile. */
export interface ProfileAsk {
  readonly keyId: string | null;
  /** `x-rotor-profile`. */
  readonly profile: string | null;
  /** `x-rotor-project`. */
  readonly project: string | null;
}

export type ProfileChoice<P extends Pick<Profile, "name" | "keyIds" | "projects">> =
  | { readonly kind: "chosen"; readonly profile: P }
  | { readonly kind: "none" }
  | { readonly kind: "unknown"; readonly name: string };

/**
 * A key that belongs to a profile asks through it, whatever the request says: that is what it was bound for. Then the name that the
 * request gives, then the project that it comes from.
 */
export function chooseProfile<P extends Pick<Profile, "name" | "keyIds" | "projects">>(
  profiles: readonly P[],
  ask: ProfileAsk,
): ProfileChoice<P> {
  const { keyId, profile: name, project } = ask;
  const byKey = keyId === null ? undefined : profiles.find(({ keyIds }) => keyIds.includes(keyId));
  if (byKey !== undefined) return { kind: "chosen", profile: byKey };
  if (name !== null) {
    const byName = profiles.find((one) => one.name === name);
    return byName === undefined ? { kind: "unknown", name } : { kind: "chosen", profile: byName };
  }
  const byProject =
    project === null ? undefined : profiles.find(({ projects }) => projects.some(({ key }) => key === project));
  return byProject === undefined ? { kind: "none" } : { kind: "chosen", profile: byProject };
}

/** `demo-1a2b3c4d5e6f`, as {@link Project.key}. */
export function isProjectKey(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,40}-[0-9a-f]{12}$/.test(text);
}
