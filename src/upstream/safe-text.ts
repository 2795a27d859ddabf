/**
 * What upstream said, made fit for a log line, an exchange record or an operator's screen: short, one line, no credentials, no e-mail.
 * Never used on bytes that go to a client.
 */

/** Long enough for every sentence that upstream is known to say (wire §4), short enough for a table cell that wraps once. */
const LONGEST_CHARACTERS = 300;

/** JWTs, `rt_…`, `sk-…`, `at-…`, `Bearer …`: the shapes of credentials (wire §1). */
const CREDENTIAL = /\beyJ[\w-]+(?:\.[\w-]*){0,2}|\b(?:rt|sk|at|ac|rtr)[-_][\w-]{8,}(?:\.[\w-]+)*|\bbearer\s+\S+/gi;
const E_MAIL = /[^\s@<>"'():,;]+@[^\s@<>"'():,;]+\.[a-z]{2,}/gi;
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\s]+/gu;

export function safeText(text: string): string {
  // Cut first (with room for what is removed): a hostile megabyte must not reach the expressions.
  const clean = text
    .slice(0, LONGEST_CHARACTERS * 4)
    .replace(CREDENTIAL, "[removed]")
    .replace(E_MAIL, "[removed]")
    .replace(CONTROL, " ")
    .trim();
  return clean.length > LONGEST_CHARACTERS ? `${clean.slice(0, LONGEST_CHARACTERS - 1)}…` : clean;
}
