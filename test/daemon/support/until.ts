/**
 * Waits for something that another process does. It asserts no duration: its bound is for a broken product, not for a slow machine.
 */

/** Far beyond anything that is waited for here, also on a machine that builds something else meanwhile. */
const BOUND_MS = 90_000;
const LOOK_EVERY_MS = 3;

export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const stopAtMs = performance.now() + BOUND_MS;
  while (!(await isSo())) {
    if (performance.now() > stopAtMs) throw new Error(`${what} did not come about within ${BOUND_MS / 1_000} s`);
    await Bun.sleep(LOOK_EVERY_MS);
  }
}

/** `work`, or an error that says what hung. */
export async function within<T>(work: Promise<T>, what: string, boundMs = BOUND_MS): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not end within ${boundMs / 1_000} s`)), boundMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
