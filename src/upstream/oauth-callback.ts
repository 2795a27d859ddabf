/**
 * What the issuer tells us through the browser (wire §1.2): the query of the address that it sends the browser back to. Pure; judges
 * the form only, not whose it is.
 */
import { Secret } from "../base/secret.ts";
import { safeText } from "./safe-text.ts";

export interface Callback {
  readonly state: string;
  readonly answer: CallbackAnswer;
}

export type CallbackAnswer =
  | { readonly kind: "code"; readonly code: Secret }
  /** Fit to be shown. */
  | { readonly kind: "refused"; readonly message: string };

/** null when it is not a callback: no state, or neither a code nor an error. */
export function readCallback(query: URLSearchParams): Callback | null {
  const state = query.get("state") ?? "";
  const code = query.get("code") ?? "";
  const error = query.get("error") ?? "";
  if (state === "" || (code === "" && error === "")) return null;
  if (error === "") return { state, answer: { kind: "code", code: new Secret(code) } };
  const said = safeText(query.get("error_description") ?? "");
  const word = safeText(error);
  return { state, answer: { kind: "refused", message: said === "" ? word : `${said} (${word})` } };
}
