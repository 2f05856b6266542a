import type { Report } from './observe.ts'

/** A {@link Report} that warns of the first failure only: what fails in every call would fill the log. */
export const warnOnce = (what: string): Report => {
  let warned = false
  return error => {
    if (warned) return
    warned = true
    const why = error instanceof Error ? error.message : String(error)
    process.emitWarning(`${what} could not be recorded, calls go on: ${why}`, { code: 'BREAKWATER_TELEMETRY' })
  }
}
