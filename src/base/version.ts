/**
 * Which Rotor this is. Stamped by `build/compile.ts`; run from source it is what package.json says.
 * The only file that may look outside `src/`.
 */
import { version } from "../../package.json";

declare const ROTOR_VERSION: string | undefined;
declare const ROTOR_COMMIT: string | undefined;

/** Semantic version, without a leading `v`. */
export const VERSION: string = typeof ROTOR_VERSION === "string" ? ROTOR_VERSION : version;

/** The commit that it was built from (`-dirty` with local changes), null from source or without git. */
export const COMMIT: string | null = typeof ROTOR_COMMIT === "string" && ROTOR_COMMIT !== "" ? ROTOR_COMMIT : null;
