/**
 * A keychain tool written at run time: `secret-tool` or `security` as a shell script that keeps its entries in files, and misbehaves as a
 * file `mood` beside it says. It refuses a secret among its arguments, which is the one thing that the real tools would let pass.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** `locked`: nobody is there to open it. `deaf`: says that it kept what it did not keep. */
export type Mood = "well" | "hanging" | "locked" | "garbage" | "deaf";

export interface FakeKeychain {
  /** To stand first on the PATH. */
  readonly bin: string;
  set mood(mood: Mood);
  entries(): string[];
  /** What the tool was called with, one line a call. */
  calls(): string;
}

const COMMON = (folder: string) => `
folder='${folder}'
echo "$@" >> "$folder/calls"
case "$*" in *rotor-key-v1*) echo "a secret among the arguments" >&2; exit 64;; esac
mood=$(cat "$folder/mood")
[ "$mood" = hanging ] && exec sleep 1000
`;

const SECRET_TOOL = `
[ "$mood" = locked ] && { echo "secret-tool: Cannot autolaunch D-Bus without X11" >&2; exit 1; }
verb=$1; for last; do :; done; file="$folder/entries/$last"
case $verb in
  store) if [ "$mood" = deaf ]; then cat >/dev/null; else cat > "$file"; fi;;
  lookup) [ -f "$file" ] || exit 1
    if [ "$mood" = garbage ]; then echo "who knows"; else cat "$file"; fi;;
  clear) rm -f "$file";;
  *) exit 2;;
esac
`;

const SECURITY = `
[ "$mood" = locked ] && { echo "security: User interaction is not allowed." >&2; exit 36; }
if [ "$1" = -i ]; then read -r verb u s service a entry l label w value; else verb=$1; entry=$5; fi
file="$folder/entries/$entry"
case $verb in
  add-generic-password) [ "$mood" = deaf ] || printf %s "$value" > "$file";;
  find-generic-password) [ -f "$file" ] || { echo "security: The specified item could not be found." >&2; exit 44; }
    if [ "$mood" = garbage ]; then echo "who knows"; else cat "$file"; echo; fi;;
  delete-generic-password) [ -f "$file" ] || exit 44; rm -f "$file";;
  *) exit 2;;
esac
`;

export function writeFakeKeychain(folder: string, tool: "secret-tool" | "security" = "secret-tool"): FakeKeychain {
  const bin = join(folder, "keychain-bin");
  mkdirSync(join(bin, "entries"), { recursive: true });
  const moodFile = join(bin, "mood");
  writeFileSync(moodFile, "well");
  const program = join(bin, tool);
  writeFileSync(program, `#!/bin/sh${COMMON(bin)}${tool === "security" ? SECURITY : SECRET_TOOL}`);
  chmodSync(program, 0o755);
  return {
    bin,
    set mood(mood: Mood) {
      writeFileSync(moodFile, mood);
    },
    entries: () => readdirSync(join(bin, "entries")),
    calls: () => (existsSync(join(bin, "calls")) ? readFileSync(join(bin, "calls"), "utf8") : ""),
  };
}
