/** Findings of `rotor doctor`, one maker a level. */
import type { Finding } from "../control/daemon-facts.ts";

export const ok = (check: string, message: string): Finding => ({ check, level: "ok", message, hint: null });

export const warning = (check: string, message: string, hint: string | null): Finding => ({
  check,
  level: "warning",
  message,
  hint,
});

export const error = (check: string, message: string, hint: string | null): Finding => ({
  check,
  level: "error",
  message,
  hint,
});
