/**
 * Loading undici replaces the dispatcher that the host's built-in `fetch` uses (undici issue 5500), which a library must not
 * do. This module, imported before undici, saves the original, and `restoreGlobals()`, called afterwards, restores it.
 */
const LEGACY = Symbol.for('undici.globalDispatcher.1')

type WithDispatcher = typeof globalThis & { [LEGACY]?: unknown }

// Reading a global of the built-in fetch makes Node load its own undici, which then sets its own dispatcher first.
Reflect.get(globalThis, 'Response')
const before = (globalThis as WithDispatcher)[LEGACY]

/** Restores the dispatcher the host had before undici was loaded. */
export function restoreGlobals(): void {
  if (before !== undefined && (globalThis as WithDispatcher)[LEGACY] !== before) (globalThis as WithDispatcher)[LEGACY] = before
}
