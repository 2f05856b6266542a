/**
 * Loading undici replaces the dispatcher that the host's built-in `fetch` uses (undici issue 5500). A library must not
 * hijack its host: this module, imported before undici, keeps what was there, and `restoreGlobals()`, called after,
 * puts it back.
 */
const LEGACY = Symbol.for('undici.globalDispatcher.1')

type WithDispatcher = typeof globalThis & { [LEGACY]?: unknown }

// Reading a global of the built-in fetch makes Node load its own undici, which then sets its own dispatcher first.
Reflect.get(globalThis, 'Response')
const before = (globalThis as WithDispatcher)[LEGACY]

/** Puts the host's dispatcher back where it was before undici was loaded. */
export function restoreGlobals(): void {
  if (before !== undefined && (globalThis as WithDispatcher)[LEGACY] !== before) (globalThis as WithDispatcher)[LEGACY] = before
}
