/**
 * What the login desk asks of the loopback listener that the issuer sends browsers back to. Opening ports is not the pool's work: the
 * composition root hands in how it is done.
 */

export interface CallbackListener {
  /** E.g. `http://127.0.0.1:1455/auth/callback`. */
  readonly redirectUri: string;
  /** Frees the port at once; answers that are being given are finished. */
  close(): void;
}

/** Throws `address_in_use`. `onCallback` gets the query of every callback that arrives, whichever login it belongs to. */
export type OpenCallbackListener = (onCallback: (query: URLSearchParams) => Promise<CallbackEnd>) => CallbackListener;

/** What the person in front of the browser is told. */
export type CallbackEnd =
  /** The alias is null when the account was removed meanwhile. */
  | { readonly kind: "completed"; readonly alias: string | null; readonly added: boolean }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "state_mismatch" }
  | { readonly kind: "malformed" };
