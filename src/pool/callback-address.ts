/**
 * Reads the address that a person copies out of a browser (a login by hand). Pure; says what was pasted instead when it is another one.
 */
import { AppError } from "../base/errors.ts";
import { readCallback } from "../upstream/oauth-callback.ts";

/** Real ones have a few hundred characters. */
const LONGEST_CHARACTERS = 8_192;

/** The query of a callback for the login with this state. Throws `invalid_callback`; the message never repeats what was pasted. */
export function readCallbackAddress(text: string, state: string | null): URLSearchParams {
  const wrong = (message: string) => new AppError("invalid_callback", message);
  if (state === null)
    throw new AppError("invalid_callback", "a device login ends by itself; there is no address to hand in", {
      hint: null,
    });
  if (text.length > LONGEST_CHARACTERS) throw wrong("this is too long for the address of a callback");
  if (!URL.canParse(text.trim())) throw wrong("this is not the address of a page");
  const query = new URL(text.trim()).searchParams;
  const callback = readCallback(query);
  if (callback === null) {
    if (query.has("code_challenge"))
      throw wrong("this is the address of the sign-in page; paste the one that the browser ends at after it");
    throw wrong("this address has no code and state in it, or no error and state");
  }
  if (callback.state !== state) throw wrong("this address belongs to another login: its state is not the same");
  return query;
}
