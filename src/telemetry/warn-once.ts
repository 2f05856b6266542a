import type { OnError } from './observe.ts'

/** Emits a process warning for the first error only, as a failure at every call would flood the log. */
export const warnOnce = (what: string): OnError => {
  let warned = false
  return error => {
    if (warned) return
    warned = true
    const why = error instanceof Error ? error.message : String(error)
    process.emitWarning(`${what} could not be recorded, calls are not affected: ${why}`, { code: 'BREAKWATER_TELEMETRY' })
  }
}
