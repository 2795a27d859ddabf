/**
 * What upstream said, made fit for a log line, an exchange record or an operator's screen: short, one line, no credentials, no e-mail.
 * Never used on bytes that go to a client.
 */

import { REMOVED, withoutTokens } from "../base/token-shape.ts";

/** Long enough for every sentence that upstream is known to say (wire §4), short enough for a table cell that wraps once. */
const LONGEST_CHARACTERS = 300;

/** Upstream shortens what it quotes: few signs are enough to be a piece of a token. */
const FEWEST_QUOTED = 8;
const E_MAIL = /[^\s@<>"'():,;]+@[^\s@<>"'():,;]+\.[a-z]{2,}/gi;
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\s]+/gu;

export function safeText(text: string): string {
  // Cut first (with room for what is removed): a hostile megabyte must not reach the expressions.
  const clean = withoutTokens(text.slice(0, LONGEST_CHARACTERS * 4), FEWEST_QUOTED)
    .replace(E_MAIL, REMOVED)
    .replace(CONTROL, " ")
    .trim();
  return clean.length > LONGEST_CHARACTERS ? `${clean.slice(0, LONGEST_CHARACTERS - 1)}…` : clean;
}
