/** Rules and profiles in SQL. A profile that cannot be understood (another version wrote it) is told and left out. */
import type { Log } from "../base/log.ts";
import { isAlias } from "../domain/account.ts";
import { isProjectKey, type Profile } from "../domain/profile.ts";
import { printWho } from "../domain/rule.ts";
import { parseWho } from "../domain/rule-syntax.ts";
import { isStrategyName } from "../domain/strategy.ts";
import type { Connection } from "./database.ts";
import { textOf } from "./row.ts";
import type { ChoiceChange } from "./store.ts";

export function readRules(db: Connection): string[] {
  return db.all("SELECT text FROM rule ORDER BY line").map((row) => textOf(row, "text"));
}

export function writeRules(db: Connection, lines: readonly string[]): void {
  db.run("DELETE FROM rule");
  for (const [index, text] of lines.entries()) db.run("INSERT INTO rule (line, text) VALUES (?, ?)", index + 1, text);
}

/** In the order in which they were added. */
export function readProfiles(db: Connection, log: Log): Profile[] {
  return db.all("SELECT name, record FROM profile ORDER BY position").flatMap((row) => {
    const name = textOf(row, "name");
    const profile = profileFrom(name, textOf(row, "record"));
    if (profile === null) log.warn("profile.dropped", { profile: name });
    return profile ?? [];
  });
}

export function writeProfile(db: Connection, profile: Profile): void {
  const { name, accounts, ...rest } = profile;
  const record = JSON.stringify({ accounts: printWho(accounts), ...rest });
  const sql =
    "INSERT INTO profile (name, record) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record";
  db.run(sql, name, record);
}

/** One that is renamed stays where it stands. */
export function writeProfiles(
  db: Connection,
  profiles: readonly Profile[],
  renamed?: { readonly from: string; readonly to: string },
): void {
  if (renamed !== undefined) db.run("UPDATE profile SET name = ? WHERE name = ?", renamed.to, renamed.from);
  for (const profile of profiles) writeProfile(db, profile);
}

export function writeChoice(db: Connection, { rules, profiles }: ChoiceChange): void {
  writeRules(db, rules);
  writeProfiles(db, profiles);
}

export function deleteProfile(db: Connection, name: string): void {
  db.run("DELETE FROM profile WHERE name = ?", name);
}

function profileFrom(name: string, record: string): Profile | null {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(record) as Record<string, unknown>;
  } catch {
    return null;
  }
  const { accounts, strategy, models, rules, keyIds, projects, budgets } = value;
  const who = accounts === "" ? [] : typeof accounts === "string" ? parseWho(accounts) : null;
  // Whom it lets in must be understood: a profile that lets in everybody by mistake is worse than none.
  if (!isAlias(name) || who === null || "message" in who) return null;
  const isStrategy = strategy === null || (typeof strategy === "string" && isStrategyName(strategy));
  if (!isStrategy || !isTexts(models) || !isTexts(rules) || !isTexts(keyIds) || !isProjects(projects)) return null;
  if (!isTexts(budgets)) return null;
  return { name, accounts: who, strategy, models, rules, keyIds, projects, budgets };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isProjects(value: unknown): value is Profile["projects"] {
  return Array.isArray(value) && value.every((one) => typeof one?.path === "string" && isProjectKey(String(one?.key)));
}
