/** A budget: a named limit on what all clients, one client key, one project or the profiles that name it use together. */
import type { Limit } from "./limit.ts";

export type BudgetScope =
  | { readonly kind: "all" }
  | { readonly kind: "key"; readonly keyId: string }
  | { readonly kind: "project"; readonly project: string }
  /** What is asked through a profile that names the budget; several may share one. */
  | { readonly kind: "profiles" };

export interface Budget {
  /** Unique, an alias in form. */
  readonly name: string;
  readonly scope: BudgetScope;
  readonly limit: Limit;
  /** Said in the log once a period when so much of it is used; null = never. */
  readonly warnPercent: number | null;
  readonly createdAtMs: number;
}

/** What client keys call their work in `x-rotor-project`: a name or a digest, nothing that could be mistaken for a header or a path. */
const PROJECT = /^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,63}$/;

export function isProject(text: string): boolean {
  return PROJECT.test(text);
}
